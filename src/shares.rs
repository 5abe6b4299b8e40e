//! Shares of a secret, M of N, as codex32 strings (BIP-93): 48 characters that say how many are
//! needed, which set they belong to and which share of it they are, with a checksum that finds
//! every mistake in up to eight characters.
//!
//! In: random octets, or what custodians type. Out: shares, or the secret as text of 26 characters
//! (130 bits). Field and checksum are the reference implementation's; strings are kept and put
//! together here, in memory that is wiped.

use codex32::{ChecksumEngine, Fe};
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// What every share begins with (BIP-93: human-readable part and separator).
const PREFIX: &str = "ms1";
/// Characters behind the prefix: threshold, identifier, index, payload, checksum.
const DATA: usize = 45;
const IDENTIFIER: std::ops::Range<usize> = 1..5;
const INDEX: usize = 5;
const PAYLOAD: std::ops::Range<usize> = 6..32;
/// The index of the secret itself.
const SECRET: u8 = b's';
/// Indices of shares in the order in which they are given, as BIP-93 has them.
const INDICES: &[u8] = b"acdefghjklmnpqrtuvwxyz0234567";
/// The characters of codex32 by their value.
const CHARACTERS: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

/// Why a text is no share, or does not fit the others. It never holds what was typed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Too short, too long, or not even the beginning of one.
    #[error("a share has 48 characters and begins with ms1; {0} were typed")]
    Form(usize),
    /// A character that no share has.
    #[error("character {0} is none that a share has (no 1, b, i, o behind the ms1)")]
    Character(usize),
    /// The checksum is wrong.
    #[error("the checksum is wrong: a character is wrong, or two are exchanged")]
    Checksum,
    /// It is a codex32 string, but no share of a set.
    #[error("this is not a share of a set of 2 to 9")]
    NoShare,
    /// Its set is another one.
    #[error("this share belongs to the set {found}, wanted is one of {wanted}")]
    Foreign {
        /// The identifier in it.
        found: String,
        /// The identifier of the others.
        wanted: String,
    },
    /// The same share, or another of the same index, is there.
    #[error("share {0} was given already")]
    Repeated(char),
    /// Shares are missing.
    #[error("{have} shares are there, {need} are needed")]
    TooFew {
        /// How many there are.
        have: usize,
        /// How many are needed.
        need: usize,
    },
    /// A set cannot be made like this.
    #[error("{threshold} of {count}: required is 2 to 9 of at most {}", INDICES.len())]
    Numbers {
        /// How many would be needed.
        threshold: usize,
        /// How many there would be.
        count: usize,
    },
}

/// One share, complete and with a right checksum.
#[derive(Clone, Debug)]
pub struct Share(SecretString);

impl Share {
    /// Reads what a custodian typed; spaces, hyphens and case do not count.
    ///
    /// # Errors
    /// What is wrong with it.
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

    /// How many shares of its set are needed.
    pub fn threshold(&self) -> usize {
        usize::from(self.at(0).wrapping_sub(b'0'))
    }

    /// The four characters that name its set; no secret.
    pub fn identifier(&self) -> String {
        let text = self.data().get(IDENTIFIER).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    }

    /// The character that tells it from the others of its set; no secret.
    pub fn index(&self) -> char {
        char::from(self.at(INDEX))
    }

    /// Whether both are the same share.
    pub fn is(&self, other: &Self) -> bool {
        self.0.expose_secret() == other.0.expose_secret()
    }

    /// The share in groups of five, as it is written on paper.
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

/// Shares of one set, as they come in.
#[derive(Debug, Default)]
pub struct Collected {
    wanted: Option<String>,
    shares: Vec<Share>,
}

impl Collected {
    /// Takes shares of this set only.
    pub fn of(identifier: Option<String>) -> Self {
        Self { wanted: identifier, shares: Vec::new() }
    }

    /// Takes in a share.
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

    /// How many there are, and how many are needed once that is known.
    pub fn count(&self) -> (usize, Option<usize>) {
        (self.shares.len(), self.shares.first().map(Share::threshold))
    }

    /// Whether there are enough.
    pub fn is_complete(&self) -> bool {
        matches!(self.count(), (have, Some(need)) if have >= need)
    }

    /// The identifier of the set, once a share is there.
    pub fn identifier(&self) -> Option<String> {
        self.shares.first().map(Share::identifier)
    }

    /// The secret: the 26 characters of its payload.
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

/// Makes a secret at random and splits it: `count` shares, any `threshold` of which give it again.
/// `random` fills a buffer with random octets; four characters of it name the set.
///
/// # Errors
/// [`Error::Numbers`], or whatever `random` returns.
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

/// A share whose payload is chosen freely (BIP-93: the first shares of a new set are).
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

/// The string at an index, by Lagrange's formula over all of its characters (BIP-93).
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
