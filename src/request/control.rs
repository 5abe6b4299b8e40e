//! Controls: the rules that a request must pass, each with a stable ID.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

macro_rules! controls {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        /// A rule that a request must pass. `ceremony/controls.md` lists them with their sources.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Control { $($(#[$doc])* $name,)* }

        impl Control {
            /// Every control.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The stable ID.
            pub fn id(self) -> &'static str {
                match self { $(Self::$name => $id,)* }
            }
        }
    };
}

controls! {
    /// One PEM block of the right label, or DER, and nothing else.
    Form = "REQ-FORM";
    /// Strict DER of a CertificationRequest, version v1.
    Der = "REQ-DER";
    /// The request's signature verifies with the key in it.
    PossessionProof = "REQ-POP";
    /// An attribute or extension stands there twice or in a wrong shape.
    Attribute = "REQ-ATTRIBUTE";
    /// Two requests would become the same file.
    Collision = "REQ-COLLISION";
    /// The signature algorithm is accepted.
    SignatureAlgorithm = "SIG-ALGORITHM";
    /// The key is of an accepted algorithm and encoding.
    KeyType = "KEY-TYPE";
    /// The key is strong enough.
    KeyStrength = "KEY-STRENGTH";
    /// No two requests of a ceremony carry the same key.
    KeyTwice = "KEY-TWICE";
    /// The key is not one of an authority or of a manifest signer.
    KeyAuthority = "KEY-AUTHORITY";
    /// The key was not certified before.
    KeyReuse = "KEY-REUSE";
    /// The request does not ask to be a certification authority.
    AskCa = "ASK-CA";
    /// The request does not ask for keyCertSign or cRLSign.
    AskKeyCertSign = "ASK-KEYCERTSIGN";
    /// The key of a delegated authority is fit to sign certificates.
    CaDelegate = "CA-DELEGATE";
    /// Exactly one roster line matches the request's path.
    RosterLine = "ROSTER-LINE";
    /// The profile that the bundle's index names is that of the roster line.
    IndexProfile = "INDEX-PROFILE";
    /// Who asked by an object may ask for this subject.
    ObjectRequester = "OBJECT-REQUESTER";
    /// The usages that an object asks for are those that the certificate profile gives.
    ObjectUsages = "OBJECT-USAGES";
    /// The subject is one that roster and certificate profile allow.
    NameSubject = "NAME-SUBJECT";
    /// Each DNS name is one that the roster allows.
    NameDns = "NAME-DNS";
    /// Each IP address is one that the roster allows.
    NameIp = "NAME-IP";
    /// Only DNS names and IP addresses are asked for, where the certificate profile has names at all.
    NameType = "NAME-TYPE";
    /// The certificate profile requires a name and the request has none.
    NameMissing = "NAME-MISSING";
    /// This very request was not answered by an earlier ceremony.
    Replay = "LEDGER-REPLAY";
}

impl Serialize for Control {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// One rule that a request breaks, with both values in the message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// Which rule.
    pub control: Control,
    /// What is there and what is required.
    pub message: String,
}

impl Violation {
    /// A violation of `control`.
    pub fn new(control: Control, message: impl Into<String>) -> Self {
        Self { control, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.control.id())
    }
}

/// A violation as it is written down: its control may be one of an older version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The control's ID.
    pub control: String,
    /// What is there and what is required.
    pub message: String,
}
