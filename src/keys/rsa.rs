//! RSA public keys: encoding, size, exponent, and known-weak moduli.

use der::asn1::UintRef;
use der::{Decode, Sequence};
use num_bigint::BigUint;

use super::KeyError;

/// RSAPublicKey (RFC 8017 A.1.1).
#[derive(Sequence)]
struct RsaPublicKey<'a> {
    modulus: UintRef<'a>,
    exponent: UintRef<'a>,
}

/// Rounds of Fermat's factorisation method that must not factor a modulus (CA/Browser Forum
/// Baseline Requirements 6.1.1.3).
const FERMAT_ROUNDS: u32 = 100;
/// An accepted modulus has no prime factor below this.
const SMALL_PRIMES_BELOW: u32 = 752;
/// The largest prime of the published ROCA fingerprint (CVE-2017-15361).
const ROCA_PRIMES_UP_TO: u32 = 167;

/// Checks a key and returns the length of its modulus in bits.
pub fn check(octets: &[u8]) -> Result<usize, KeyError> {
    let key =
        RsaPublicKey::from_der(octets).map_err(|e| KeyError::Unsupported(format!("RSA public key: {e}")))?;
    let modulus = BigUint::from_bytes_be(key.modulus.as_bytes());
    let bits = modulus.bits() as usize;
    if !(2048..=8192).contains(&bits) || !bits.is_multiple_of(8) {
        return Err(KeyError::Weak(format!(
            "RSA modulus is {bits} bits, must be 2048 to 8192 in steps of 8"
        )));
    }
    check_exponent(key.exponent.as_bytes())?;
    check_modulus(&modulus)?;
    Ok(bits)
}

/// Returns the length of the modulus in bits, of a key that was checked before.
pub fn modulus_bits(octets: &[u8]) -> Result<usize, KeyError> {
    let key =
        RsaPublicKey::from_der(octets).map_err(|e| KeyError::Unsupported(format!("RSA public key: {e}")))?;
    Ok(BigUint::from_bytes_be(key.modulus.as_bytes()).bits() as usize)
}

fn check_exponent(octets: &[u8]) -> Result<(), KeyError> {
    let exponent = octets.iter().take(9).fold(0_u128, |sum, octet| sum << 8 | u128::from(*octet));
    if exponent.is_multiple_of(2) || !(65_537..1 << 33).contains(&exponent) {
        return Err(KeyError::Weak(format!(
            "RSA exponent is {}, must be odd and from 65537 to 2^33",
            if octets.len() > 8 { "larger than 2^64".to_owned() } else { exponent.to_string() }
        )));
    }
    Ok(())
}

fn check_modulus(modulus: &BigUint) -> Result<(), KeyError> {
    let primes =
        || (2..SMALL_PRIMES_BELOW).filter(|n| (2..*n).take_while(|d| d * d <= *n).all(|d| n % d != 0));
    if let Some(factor) = primes().find(|prime| residue(modulus, *prime) == 0) {
        return Err(KeyError::Weak(format!("RSA modulus is divisible by {factor}")));
    }
    if primes()
        .take_while(|p| *p <= ROCA_PRIMES_UP_TO)
        .skip(1)
        .all(|p| in_roca_subgroup(residue(modulus, p), p))
    {
        return Err(KeyError::Weak("RSA modulus has the ROCA fingerprint (CVE-2017-15361)".into()));
    }
    if has_close_primes(modulus) {
        return Err(KeyError::Weak(format!(
            "RSA modulus can be factored in {FERMAT_ROUNDS} rounds of Fermat's method"
        )));
    }
    Ok(())
}

fn residue(modulus: &BigUint, prime: u32) -> u32 {
    // A residue modulo a u32 has at most one digit of 32 bits.
    (modulus % prime).to_u32_digits().first().copied().unwrap_or(0)
}

/// Returns whether a residue is a power of 65537 modulo the prime, which all ROCA moduli are.
fn in_roca_subgroup(residue: u32, prime: u32) -> bool {
    let generator = 65_537 % prime;
    let mut power = 1;
    for _ in 0..prime {
        if power == residue {
            return true;
        }
        power = power * generator % prime;
    }
    false
}

fn has_close_primes(modulus: &BigUint) -> bool {
    let mut a = modulus.sqrt();
    if &(&a * &a) < modulus {
        a += 1_u32;
    }
    for _ in 0..FERMAT_ROUNDS {
        let rest = &a * &a - modulus;
        let root = rest.sqrt();
        if &root * &root == rest {
            return true;
        }
        a += 1_u32;
    }
    false
}
