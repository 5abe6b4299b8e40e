//! Controls: the rules that a request must satisfy, each with a stable ID.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

macro_rules! controls {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        /// A rule that a request must satisfy. `ceremony/controls.md` lists them with their
        /// sources.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Control { $($(#[$doc])* $name,)* }

        impl Control {
            /// All controls.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// Returns the stable ID, such as `REQ-FORM`.
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
    /// No attribute or extension is duplicated or malformed.
    Attribute = "REQ-ATTRIBUTE";
    /// No two requests produce the same output file.
    Collision = "REQ-COLLISION";
    /// The signature algorithm is accepted.
    SignatureAlgorithm = "SIG-ALGORITHM";
    /// The key has an accepted algorithm and encoding.
    KeyType = "KEY-TYPE";
    /// The key is strong enough.
    KeyStrength = "KEY-STRENGTH";
    /// No two requests of a ceremony have the same key.
    KeyTwice = "KEY-TWICE";
    /// The key is not that of an authority or a manifest signer.
    KeyAuthority = "KEY-AUTHORITY";
    /// The key has not been certified before.
    KeyReuse = "KEY-REUSE";
    /// The request does not ask to be a certification authority.
    AskCa = "ASK-CA";
    /// The request does not ask for keyCertSign or cRLSign.
    AskKeyCertSign = "ASK-KEYCERTSIGN";
    /// The key of a delegated authority is suitable for signing certificates.
    CaDelegate = "CA-DELEGATE";
    /// Exactly one roster line matches the request's path.
    RosterLine = "ROSTER-LINE";
    /// The certificate profile in the bundle's index is the roster line's.
    IndexProfile = "INDEX-PROFILE";
    /// The requester of the object may request this subject.
    ObjectRequester = "OBJECT-REQUESTER";
    /// The certificate profile allows the usages that the object requests.
    ObjectUsages = "OBJECT-USAGES";
    /// Roster and certificate profile allow the subject.
    NameSubject = "NAME-SUBJECT";
    /// The roster allows each DNS name.
    NameDns = "NAME-DNS";
    /// The roster allows each IP address.
    NameIp = "NAME-IP";
    /// No name is requested that the script reserves for other certificate profiles.
    NameReserved = "NAME-RESERVED";
    /// Only DNS names and IP addresses are requested, if the certificate profile allows names.
    NameType = "NAME-TYPE";
    /// A name is present where the certificate profile requires one.
    NameMissing = "NAME-MISSING";
    /// The subject has at most 32 attributes, and the names are no more than the profile allows.
    NameCount = "NAME-COUNT";
    /// The request was not answered by an earlier ceremony.
    Replay = "LEDGER-REPLAY";
}

impl Serialize for Control {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.id())
    }
}

/// A control that a request violates.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Violation {
    /// The control.
    pub control: Control,
    /// Actual and required value.
    pub message: String,
}

impl Violation {
    /// Creates a violation of `control`.
    pub fn new(control: Control, message: impl Into<String>) -> Self {
        Self { control, message: message.into() }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} [{}]", self.message, self.control.id())
    }
}

/// A violation as recorded; its control may belong to an older version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// ID of the control.
    pub control: String,
    /// Actual and required value.
    pub message: String,
}
