//! M-of-N shares of a secret as codex32 strings (BIP-93): 48 characters that encode the threshold,
//! the identifier of the set and the index of the share, with a checksum that detects any error in
//! up to eight characters.
//!
//! Input: random octets, or the shares that custodians type. Output: shares, or the secret as 26
//! characters (130 bits). Field arithmetic and checksum come from the reference implementation;
//! strings are assembled here, in memory that is zeroized.

use codex32::{ChecksumEngine, Fe};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// The prefix of every share (BIP-93: human-readable part and separator).
const PREFIX: &str = "ms1";
/// Number of characters after the prefix: threshold, identifier, index, payload, checksum.
const DATA: usize = 45;
const IDENTIFIER: std::ops::Range<usize> = 1..5;
const INDEX: usize = 5;
const PAYLOAD: std::ops::Range<usize> = 6..32;
/// The index of the secret itself.
const SECRET: u8 = b's';
/// Share indices in the order in which they are assigned (BIP-93).
const INDICES: &[u8] = b"acdefghjklmnpqrtuvwxyz0234567";
/// The codex32 alphabet, indexed by value.
const CHARACTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Why a share is invalid or does not match the others. Never includes what was typed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Wrong prefix or length; the value is the number of characters typed.
    #[error("a share has 48 characters and begins with ms1; {0} characters were typed")]
    Form(usize),
    /// A character outside the codex32 alphabet, at this position, counted from 1.
    #[error("character {0} is not valid in a share (1, b, i and o never follow ms1)")]
    Character(usize),
    /// The checksum does not match.
    #[error("checksum does not match: a character is wrong, or two are swapped")]
    Checksum,
    /// A valid codex32 string that is not a share of a set.
    #[error("not a share of a set with a threshold of 2 to 9")]
    NoShare,
    /// A share of another set.
    #[error("this share belongs to set {found}, expected set {wanted}")]
    Foreign {
        /// The identifier of its set.
        found: String,
        /// The identifier of the expected set.
        wanted: String,
    },
    /// A share with this index was already entered.
    #[error("share {0} was already entered")]
    Repeated(char),
    /// Fewer shares than the threshold.
    #[error("{have} shares entered, {need} required")]
    TooFew {
        /// Number of shares entered.
        have: usize,
        /// The threshold.
        need: usize,
    },
    /// An invalid threshold or number of shares.
    #[error("threshold {threshold} of {count} shares: must be 2 to 9 of at most {}", INDICES.len())]
    Numbers {
        /// The requested threshold.
        threshold: usize,
        /// The requested number of shares.
        count: usize,
    },
}

/// One complete share with a valid checksum.
#[derive(Clone, Debug)]
pub struct Share(SecretString);

impl Share {
    /// Parses what a custodian typed, ignoring spaces, hyphens and case.
    ///
    /// # Errors
    /// [`Error::Form`], [`Error::Character`], [`Error::Checksum`] or [`Error::NoShare`].
    pub fn read(typed: &str) -> Result<Self, Error> {
        let kept = |c: &char| !c.is_whitespace() && *c != '-';
        let mut plain = Zeroizing::new(String::with_capacity(typed.len()));
        plain.extend(typed.chars().filter(kept).map(|c| c.to_ascii_lowercase()));
        let count = plain.chars().count();
        let data = plain.strip_prefix(PREFIX).ok_or(Error::Form(count))?;
        if let Some(at) = data.chars().position(|c| value(c).is_none()) {
            return Err(Error::Character(at + PREFIX.len() + 1));
        }
        if data.len() != DATA {
            return Err(Error::Form(count));
        }
        let mut engine = ChecksumEngine::new_codex32_short();
        let read = engine.input_hrp("ms").and_then(|()| engine.input_data_str(data));
        if read.is_err() || !engine.is_valid() {
            return Err(Error::Checksum);
        }
        let share = Self(SecretString::from(plain.as_str()));
        let index = share.at(INDEX);
        match share.threshold() {
            2..=9 if index != SECRET => Ok(share),
            _ => Err(Error::NoShare),
        }
    }

    fn data(&self) -> &[u8] {
        self.0.expose_secret().as_bytes().get(PREFIX.len()..).unwrap_or_default()
    }

    fn at(&self, place: usize) -> u8 {
        self.data().get(place).copied().unwrap_or_default()
    }

    /// Returns the threshold of its set.
    pub fn threshold(&self) -> usize {
        usize::from(self.at(0).wrapping_sub(b'0'))
    }

    /// Returns the four characters that identify its set; not secret.
    pub fn identifier(&self) -> String {
        let text = self.data().get(IDENTIFIER).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// Returns its index within its set; not secret.
    pub fn index(&self) -> char {
        char::from(self.at(INDEX))
    }

    /// Returns whether both are the same share.
    pub fn is(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }

    /// Returns the share in groups of five characters, as written on paper.
    pub fn grouped(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(64));
        text.push_str(PREFIX);
        for group in self.data().chunks(5) {
            text.push(' ');
            text.extend(group.iter().map(|octet| char::from(*octet)));
        }
        text
    }
}

/// Shares of one set, entered one by one.
#[derive(Debug, Default)]
pub struct Collected {
    wanted: Option<String>,
    shares: Vec<Share>,
}

impl Collected {
    /// Starts a collection; with an identifier, only shares of that set are accepted.
    pub fn of(identifier: Option<String>) -> Self {
        Self { wanted: identifier, shares: Vec::new() }
    }

    /// Adds a share.
    ///
    /// # Errors
    /// [`Error::Foreign`] or [`Error::Repeated`].
    pub fn add(&mut self, share: Share) -> Result<(), Error> {
        let first = self.shares.first().map(|first| (first.identifier(), first.threshold()));
        let wanted = self.wanted.clone().or(first.as_ref().map(|(identifier, _)| identifier.clone()));
        let found = share.identifier();
        let other = first.is_some_and(|(_, threshold)| threshold != share.threshold());
        if let Some(wanted) = wanted.filter(|wanted| *wanted != found || other) {
            return Err(Error::Foreign { found, wanted });
        }
        if self.shares.iter().any(|have| have.index() == share.index()) {
            return Err(Error::Repeated(share.index()));
        }
        self.shares.push(share);
        Ok(())
    }

    /// Returns the number of shares and, once the first was added, the threshold.
    pub fn count(&self) -> (usize, Option<usize>) {
        (self.shares.len(), self.shares.first().map(Share::threshold))
    }

    /// Returns whether the threshold is reached.
    pub fn is_complete(&self) -> bool {
        matches!(self.count(), (have, Some(need)) if have >= need)
    }

    /// Returns the identifier of the set, once a share was added.
    pub fn identifier(&self) -> Option<String> {
        self.shares.first().map(Share::identifier)
    }

    /// Recovers the secret: the 26 characters of the payload.
    ///
    /// # Errors
    /// [`Error::TooFew`].
    pub fn secret(&self) -> Result<SecretString, Error> {
        let (have, need) = self.count();
        if !self.is_complete() {
            return Err(Error::TooFew { have, need: need.unwrap_or(2) });
        }
        let whole = interpolate(&self.shares, SECRET)?;
        let text = whole.get(PAYLOAD).unwrap_or_default();
        Ok(SecretString::from(std::str::from_utf8(text).map_err(|_| Error::Checksum)?))
    }
}

/// Generates a random secret and splits it into `count` shares, any `threshold` of which recover
/// it. `random` fills a buffer with random octets; the identifier of the set is random, too.
///
/// # Errors
/// [`Error::Numbers`], or any error of `random`.
pub fn split<E: From<Error>>(
    threshold: usize,
    count: usize,
    random: &mut dyn FnMut(&mut [u8]) -> Result<(), E>,
) -> Result<Vec<Share>, E> {
    if !(2..=9).contains(&threshold) || threshold > count || count > INDICES.len() {
        return Err(Error::Numbers { threshold, count }.into());
    }
    let mut identifier = [0; 4];
    random(&mut identifier)?;
    let mut shares = Vec::with_capacity(count);
    for index in INDICES.iter().take(threshold) {
        let mut payload = Zeroizing::new([0; 26]);
        random(payload.as_mut_slice())?;
        shares.push(first_share(threshold, &identifier, *index, payload.as_slice())?);
    }
    for index in INDICES.iter().take(count).skip(threshold) {
        let data = interpolate(shares.get(..threshold).unwrap_or_default(), *index)?;
        shares.push(whole(&data)?);
    }
    Ok(shares)
}

/// Builds a share with the given payload; in a new set the first `threshold` shares are random
/// (BIP-93).
fn first_share(threshold: usize, identifier: &[u8], index: u8, payload: &[u8]) -> Result<Share, Error> {
    let mut text = Zeroizing::new(String::with_capacity(DATA));
    text.push_str(&threshold.to_string());
    text.extend(identifier.iter().filter_map(|octet| character(octet & 31)));
    text.push(char::from(index));
    text.extend(payload.iter().filter_map(|octet| character(octet & 31)));
    let mut engine = ChecksumEngine::new_codex32_short();
    engine.input_hrp("ms").map_err(|_| Error::Checksum)?;
    engine.input_data_str(&text).map_err(|_| Error::Checksum)?;
    engine.input_own_target();
    text.extend(engine.into_residue().into_iter().map(Fe::to_char));
    whole(text.as_bytes())
}

fn whole(data: &[u8]) -> Result<Share, Error> {
    let mut text = Zeroizing::new(String::with_capacity(DATA + PREFIX.len()));
    text.push_str(PREFIX);
    text.extend(data.iter().map(|octet| char::from(*octet)));
    Share::read(&text)
}

/// Returns the string at an index, by Lagrange interpolation over all characters (BIP-93).
fn interpolate(shares: &[Share], target: u8) -> Result<Zeroizing<Vec<u8>>, Error> {
    let fields: Vec<Fe> = shares.iter().filter_map(|share| value(share.index())).collect();
    let target = value(char::from(target)).ok_or(Error::NoShare)?;
    let mut sum = Zeroizing::new(vec![0u8; DATA]);
    for (share, own) in shares.iter().zip(&fields) {
        let mut weight = Fe::P;
        for other in fields.iter().filter(|other| *other != own) {
            weight = weight * (target + *other) / (*own + *other);
        }
        for (octet, character) in sum.iter_mut().zip(share.data()) {
            let field = value(char::from(*character)).ok_or(Error::NoShare)?;
            *octet ^= (weight * field).to_u8();
        }
    }
    for octet in sum.iter_mut() {
        *octet = character(*octet).map_or(0, |character| character as u8);
    }
    Ok(sum)
}

fn value(character: char) -> Option<Fe> {
    Fe::from_char(character).ok().filter(|_| character.is_ascii())
}

fn character(value: u8) -> Option<char> {
    CHARACTERS.get(usize::from(value)).map(|octet| char::from(*octet))
}
