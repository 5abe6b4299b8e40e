//! The limit: only the cryptography that every issuer must perform.

use std::path::Path;
use std::time::Instant;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::{Attribute, ObjectClass, ObjectHandle};
use cryptoki::session::{Session, UserType};
use keyrite::keys::{PublicKey, verify};

use super::support::{PIN, SOFTHSM};

/// A key in the token, with its certificate.
pub struct Raw {
    context: Pkcs11,
    label: String,
    public: PublicKey,
    algorithm: spki::AlgorithmIdentifierOwned,
    rsa: bool,
}

/// A request, ready for verification of its signature.
pub struct Proof {
    key: PublicKey,
    algorithm: spki::AlgorithmIdentifierOwned,
    message: Vec<u8>,
    signature: Vec<u8>,
}

impl Proof {
    pub fn of(pem: &[u8]) -> Self {
        use der::{Decode, Encode};
        let (_, der) = der::pem::decode_vec(pem).expect("PEM");
        let request = x509_cert::request::CertReq::from_der(&der).expect("request");
        Self {
            key: PublicKey::new(request.info.public_key.clone()).expect("key"),
            message: request.info.to_der().expect("DER"),
            signature: request.signature.as_bytes().expect("octets").to_vec(),
            algorithm: request.algorithm,
        }
    }

    fn check(&self) {
        verify(&self.key, &self.algorithm, &self.message, &self.signature).expect("proof of possession");
    }
}

impl Raw {
    pub fn open(certificate: &Path, label: &str) -> Self {
        let context = Pkcs11::new(SOFTHSM).expect("module");
        context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK)).expect("initialise");
        let pem = std::fs::read(certificate).expect("certificate");
        let certificate = keyrite::issuance::Certificate::from_pem(&pem).expect("certificate");
        let algorithm = certificate.parsed().signature_algorithm().clone();
        let rsa = matches!(certificate.key().kind(), keyrite::keys::KeyKind::Rsa(_));
        Self { context, label: label.to_owned(), public: certificate.key().clone(), algorithm, rsa }
    }

    fn session(&self) -> (Session, ObjectHandle) {
        let slot = self.context.get_slots_with_initialized_token().expect("slots");
        let slot = slot
            .into_iter()
            .find(|slot| self.context.get_token_info(*slot).expect("token").label() == "lab")
            .expect("token");
        let session = self.context.open_rw_session(slot).expect("session");
        // Login applies to all sessions of the process.
        let _ = session.login(UserType::User, Some(&PIN.to_owned().into()));
        let wanted =
            [Attribute::Class(ObjectClass::PRIVATE_KEY), Attribute::Label(self.label.clone().into_bytes())];
        let key = *session.find_objects(&wanted).expect("objects").first().expect("key");
        (session, key)
    }

    /// Returns certificates per second: proof of possession, C_Sign, own signature, in each thread.
    pub fn whole(&self, proofs: &[Proof], threads: usize) -> f64 {
        self.timed(proofs, threads, |session, key, proof| {
            proof.check();
            self.sign(session, key, true);
        })
    }

    /// Returns signatures per second: C_Sign alone.
    pub fn sign_only(&self, proofs: &[Proof], threads: usize) -> f64 {
        self.timed(proofs, threads, |session, key, _| self.sign(session, key, false))
    }

    fn timed(
        &self,
        proofs: &[Proof],
        threads: usize,
        each: impl Fn(&Session, ObjectHandle, &Proof) + Sync,
    ) -> f64 {
        let sessions: Vec<_> = (0..threads).map(|_| self.session()).collect();
        let chunk = proofs.len().div_ceil(threads);
        let start = Instant::now();
        std::thread::scope(|scope| {
            for ((session, key), proofs) in sessions.into_iter().zip(proofs.chunks(chunk)) {
                let each = &each;
                scope.spawn(move || proofs.iter().for_each(|proof| each(&session, key, proof)));
            }
        });
        proofs.len() as f64 / start.elapsed().as_secs_f64()
    }

    /// Signs 600 octets, the size of a TBSCertificate, and optionally verifies.
    fn sign(&self, session: &Session, key: ObjectHandle, check: bool) {
        let message = [0x5a; 600];
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &message);
        let signature = if self.rsa {
            let prefix = [0x30, 0x31, 0x30, 0x0d, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 0x20];
            session.sign(&Mechanism::RsaPkcs, key, &[&prefix, digest.as_ref()].concat()).expect("C_Sign")
        } else {
            session.sign(&Mechanism::Ecdsa, key, digest.as_ref()).expect("C_Sign")
        };
        if check {
            let signature = if self.rsa { signature } else { as_der(&signature) };
            verify(&self.public, &self.algorithm, &message, &signature).expect("own signature");
        }
    }
}

fn as_der(signature: &[u8]) -> Vec<u8> {
    use der::Encode;
    use der::asn1::UintRef;
    let (r, s) = signature.split_at(signature.len() / 2);
    let pair = [UintRef::new(r).expect("r"), UintRef::new(s).expect("s")];
    pair.to_vec().to_der().expect("DER")
}

/// Octets that a verifier hashes for each certificate, in addition to what was signed: the file,
/// its DER, its SubjectPublicKeyInfo and its entry in the manifest.
const HASHED: [usize; 4] = [700, 480, 91, 640];

/// Returns signature checks per second, with their hashes.
pub fn check_rate(proofs: &[Proof], threads: usize) -> f64 {
    let hash = || {
        for length in HASHED {
            let octets = std::hint::black_box([0x5a; 700]);
            std::hint::black_box(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &octets[..length]));
        }
    };
    let start = Instant::now();
    std::thread::scope(|scope| {
        for proofs in proofs.chunks(proofs.len().div_ceil(threads)) {
            scope.spawn(move || {
                for proof in proofs {
                    proof.check();
                    hash();
                }
            });
        }
    });
    proofs.len() as f64 / start.elapsed().as_secs_f64()
}
