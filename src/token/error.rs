//! What can go wrong at the token, with the function and code that the module gave.

use crate::failure::Failure;
use cryptoki::error::{Error as Pkcs11Error, Rv, RvError};

/// An error at the token.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HSM profile, the module's path or the choice of token is wrong: edit and try again.
    #[error("{0}")]
    Setup(String),
    /// The token or what is on it is not as it must be.
    #[error("{0}")]
    Fault(String),
    /// The token refused the PIN, and counts that; how many tries are left, as far as it says so.
    #[error("{0}")]
    WrongPin(String),
    /// A function of the module failed.
    #[error("{function}: {name} ({code:#010X}){hint}")]
    Pkcs11 {
        /// The function, as C_Sign.
        function: String,
        /// The code's name, as CKR_DEVICE_REMOVED.
        name: String,
        /// The code.
        code: u64,
        /// What to do, where that is known.
        hint: &'static str,
    },
}

impl From<Pkcs11Error> for Error {
    fn from(error: Pkcs11Error) -> Self {
        match error {
            Pkcs11Error::Pkcs11(value, function) => Self::Pkcs11 {
                function: format!("C_{function:?}"),
                name: name(value),
                code: code(value),
                hint: hint(value),
            },
            other => Self::Fault(format!("PKCS#11: {other}")),
        }
    }
}

impl Error {
    /// Whether it may be about one object, as one that a token was making when it was cut off, and not
    /// about token or session.
    pub fn is_of_one_object(&self) -> bool {
        let codes = [
            "CKR_ATTRIBUTE_VALUE_INVALID",
            "CKR_ATTRIBUTE_TYPE_INVALID",
            "CKR_OBJECT_HANDLE_INVALID",
            "CKR_GENERAL_ERROR",
            "CKR_FUNCTION_FAILED",
        ];
        match self {
            Self::Pkcs11 { name, .. } => codes.contains(&name.as_str()),
            Self::Fault(_) => true,
            Self::Setup(_) | Self::WrongPin(_) => false,
        }
    }

    /// Whether the token refused what it was asked for, so that it made nothing.
    pub fn is_refusal(&self) -> bool {
        let codes = [
            "CKR_ATTRIBUTE_READ_ONLY",
            "CKR_ATTRIBUTE_TYPE_INVALID",
            "CKR_ATTRIBUTE_VALUE_INVALID",
            "CKR_CURVE_NOT_SUPPORTED",
            "CKR_DOMAIN_PARAMS_INVALID",
            "CKR_FUNCTION_NOT_SUPPORTED",
            "CKR_KEY_SIZE_RANGE",
            "CKR_MECHANISM_INVALID",
            "CKR_MECHANISM_PARAM_INVALID",
            "CKR_SESSION_READ_ONLY",
            "CKR_TEMPLATE_INCOMPLETE",
            "CKR_TEMPLATE_INCONSISTENT",
            "CKR_TOKEN_WRITE_PROTECTED",
        ];
        matches!(self, Self::Pkcs11 { name, .. } if codes.contains(&name.as_str()))
    }

    /// Whether the module answered with this code.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Pkcs11 { name, .. } if name == wanted)
    }
}

/// CKR_PIN_INCORRECT from PinIncorrect.
fn name(value: RvError) -> String {
    if let RvError::UnknownErrorCode(_) | RvError::VendorDefined(_) = value {
        return "CKR_VENDOR_DEFINED or unknown".to_owned();
    }
    let mut name = "CKR".to_owned();
    for c in format!("{value:?}").chars() {
        if c.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(c.to_ascii_uppercase());
    }
    name
}

/// The number of a code: cryptoki maps numbers to values, so the value is looked for among them.
fn code(value: RvError) -> u64 {
    if let RvError::UnknownErrorCode(code) | RvError::VendorDefined(code) = value {
        return code;
    }
    let wanted = format!("{:?}", Rv::Error(value));
    (1..0x400).find(|code| format!("{:?}", Rv::from(*code)) == wanted).unwrap_or(u64::MAX)
}

fn hint(value: RvError) -> &'static str {
    match value {
        RvError::PinLocked => "; the PIN is locked, the security officer must set a new one",
        RvError::DeviceRemoved | RvError::TokenNotPresent => "; the token is gone, put it back and resume",
        RvError::DeviceError | RvError::DeviceMemory | RvError::GeneralError => {
            "; examine the token before it is used again"
        }
        RvError::SessionClosed | RvError::SessionHandleInvalid => "; the session was lost, resume",
        _ => "",
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error {
            Error::Setup(message) => Self::usage(message),
            other => Self::fault(other.to_string()),
        }
    }
}
