//! Token errors, with the function and the return code of the PKCS#11 module.

use cryptoki::error::{Error as Pkcs11Error, Rv, RvError};

use crate::failure::Failure;

/// A token error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HSM profile, the module path or the token selection is wrong.
    #[error("{0}")]
    Setup(String),
    /// The token or an object on it is not as required.
    #[error("{0}")]
    Fault(String),
    /// The token rejected the PIN and counted the attempt; the message has what it reports about
    /// remaining attempts.
    #[error("{0}")]
    WrongPin(String),
    /// A function of the module failed.
    #[error("{function}: {name} ({code:#010X}){hint}")]
    Pkcs11 {
        /// The function, such as `C_Sign`.
        function: String,
        /// The name of the return code, such as `CKR_DEVICE_REMOVED`.
        name: String,
        code: u64,
        /// What to do, if known.
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
    /// Returns whether the error may concern a single object, such as one left incomplete by an
    /// interruption, rather than the token or the session.
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

    /// Returns whether the token rejected the request and therefore created nothing.
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

    /// Returns whether the module returned this code.
    pub fn is(&self, wanted: &str) -> bool {
        matches!(self, Self::Pkcs11 { name, .. } if name == wanted)
    }
}

/// Converts `PinIncorrect` to `CKR_PIN_INCORRECT`.
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

/// Returns the numeric code. cryptoki maps only numbers to values, so this searches for the number.
fn code(value: RvError) -> u64 {
    if let RvError::UnknownErrorCode(code) | RvError::VendorDefined(code) = value {
        return code;
    }
    let wanted = format!("{:?}", Rv::Error(value));
    (1..0x400).find(|code| format!("{:?}", Rv::from(*code)) == wanted).unwrap_or(u64::MAX)
}

fn hint(value: RvError) -> &'static str {
    match value {
        RvError::PinLocked => "; the PIN is locked: the security officer must set a new one",
        RvError::DeviceRemoved | RvError::TokenNotPresent => {
            "; the token was removed: reconnect it and resume"
        }
        RvError::DeviceError | RvError::DeviceMemory | RvError::GeneralError => {
            "; examine the token before it is used again"
        }
        RvError::SessionClosed | RvError::SessionHandleInvalid => {
            "; the session was lost: resume the ceremony"
        }
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
