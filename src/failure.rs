//! Why a command failed: the one error type between the modules and the exit code.

/// The kind of a failure; it determines the exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Policy refused; nothing was signed.
    Refused,
    /// A script, argument or profile is invalid.
    Usage,
    /// A device, medium, file or clock failed.
    Fault,
    /// People stopped it, or could not answer.
    Stopped,
    /// Failed or stopped after something was signed.
    AfterSigning,
}

impl Kind {
    /// Returns the exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Refused | Self::Stopped => 1,
            Self::Usage => 2,
            Self::Fault => 3,
            Self::AfterSigning => 4,
        }
    }
}

/// A failure, and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Failure {
    /// The kind, which determines the exit code.
    pub kind: Kind,
    /// The message: lower case, no full stop, both values, then the remedy.
    pub text: String,
}

impl Failure {
    /// Creates a failure of this kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { kind, text: text.into() }
    }

    /// Creates a [`Kind::Refused`].
    pub fn refused(text: impl Into<String>) -> Self {
        Self::new(Kind::Refused, text)
    }

    /// Creates a [`Kind::Usage`].
    pub fn usage(text: impl Into<String>) -> Self {
        Self::new(Kind::Usage, text)
    }

    /// Creates a [`Kind::Fault`].
    pub fn fault(text: impl Into<String>) -> Self {
        Self::new(Kind::Fault, text)
    }

    /// Creates a [`Kind::Stopped`].
    pub fn stopped(text: impl Into<String>) -> Self {
        Self::new(Kind::Stopped, text)
    }

    /// Changes the message and keeps the kind.
    pub fn map(self, change: impl FnOnce(String) -> String) -> Self {
        Self { kind: self.kind, text: change(self.text) }
    }
}

impl From<der::Error> for Failure {
    fn from(error: der::Error) -> Self {
        Self::fault(error.to_string())
    }
}
