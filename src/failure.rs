//! Why a command did not do what it was asked: one type from the rooms that decide to the exit code.

/// What the caller does about a failure; each kind has its exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The rules said no; nothing was signed.
    Refused,
    /// Script, arguments or profile are wrong.
    Usage,
    /// Device, medium, file or clock failed.
    Fault,
    /// People said no, or could not answer.
    Stopped,
    /// It failed or was stopped after something was signed.
    AfterSigning,
}

impl Kind {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Refused | Self::Stopped => 1,
            Self::Usage => 2,
            Self::Fault => 3,
            Self::AfterSigning => 4,
        }
    }
}

/// Why something failed: what, where, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// What the caller does about it.
    pub kind: Kind,
    /// For people: lower case, no full stop, both values, then the remedy.
    pub text: String,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// The rules said no.
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(Kind::Refused, text)
    }

    /// Script, arguments or profile are wrong.
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, text)
    }

    /// Device, medium, file or clock failed.
    pub fn fault(text: impl Into<String>) -> Self {
        Self::new(Kind::Fault, text)
    }

    /// People said no.
    pub fn stopped(text: impl Into<String>) -> Self {
        Self::new(Kind::Stopped, text)
    }

    /// The same kind of failure, with its text changed.
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        Self { kind: self.kind, text: change(self.text) }
    }
}

impl From<der::Error> for Failure {
    fn from(error: der::Error) -> Self {
        Self::fault(error.to_string())
    }
}
