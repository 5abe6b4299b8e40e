//! A security key of OpenSSH (PROTOCOL.u2f) in software: a real one cannot be told to sign untouched.

use aws_lc_rs::digest::{SHA256, SHA512, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64ct::{Base64, Encoding};

const TYPE: &str = "sk-ssh-ed25519@openssh.com";
const APPLICATION: &str = "ssh:";

/// An Ed25519 security key.
pub struct SecurityKey(Ed25519KeyPair);

impl SecurityKey {
    pub fn generate() -> Self {
        Self(Ed25519KeyPair::generate().unwrap())
    }

    fn blob(&self) -> Vec<u8> {
        [string(TYPE), string(self.0.public_key().as_ref()), string(APPLICATION)].concat()
    }

    /// The public key as a line.
    pub fn line(&self) -> String {
        format!("{TYPE} {}", Base64::encode_string(&self.blob()))
    }

    /// An SSH signature (PROTOCOL.sshsig), as ssh-keygen makes it when the key is touched or not.
    pub fn sign(&self, namespace: &str, message: &[u8], touched: bool) -> String {
        let hash = digest(&SHA512, message);
        let fields = [string(namespace), string(""), string("sha512")].concat();
        let signed = [b"SSHSIG".as_slice(), &fields, &string(hash.as_ref())].concat();
        // Flags, and a counter of 4 octets.
        let state = [u8::from(touched), 0, 0, 0, 1];
        let (application, signed) = (digest(&SHA256, APPLICATION.as_bytes()), digest(&SHA256, &signed));
        let signature = self.0.sign(&[application.as_ref(), &state, signed.as_ref()].concat());
        let signature = [string(TYPE), string(signature.as_ref()), state.to_vec()].concat();
        let version = 1_u32.to_be_bytes();
        let all =
            [b"SSHSIG".as_slice(), &version, &string(self.blob()), &fields, &string(signature)].concat();
        let text = Base64::encode_string(&all);
        let lines: Vec<&str> = text.as_bytes().chunks(70).map(|line| str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN SSH SIGNATURE-----\n{}\n-----END SSH SIGNATURE-----\n", lines.join("\n"))
    }
}

/// A string of SSH (RFC 4251 5): its length in 4 octets, then its octets.
fn string(octets: impl AsRef<[u8]>) -> Vec<u8> {
    let octets = octets.as_ref();
    [(octets.len() as u32).to_be_bytes().as_slice(), octets].concat()
}
