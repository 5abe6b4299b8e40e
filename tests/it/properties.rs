//! Properties of all paths, patterns, indexes, shares, manifests and digests, tested with generated
//! values. Each run uses the same values.

use std::collections::{BTreeMap, HashMap};
use std::path::{Component, Path};
use std::sync::LazyLock;

use keyrite::digest::{Digest, hex, unhex};
use keyrite::kubernetes;
use keyrite::media::RelativePath;
use keyrite::policy::{Policy, ProfileFile, RosterLine};
use keyrite::release::{CertificateEntry, Error as ReleaseError, Head, ManifestWriter, Reader, RefusalEntry};
use keyrite::release::{entry, read};
use keyrite::request::{Control, Index};
use keyrite::shares::{Collected, Error as ShareError, Share, split};
use proptest::collection::{btree_set, vec};
use proptest::prelude::*;
use proptest::sample::{Index as Pick, select, subsequence};
use proptest::test_runner::RngSeed;
use regex::Regex;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::support::PROFILES;

fn tries(cases: u32) -> ProptestConfig {
    let seed = RngSeed::Fixed(0x6b65_7972_6974_6521);
    ProptestConfig { cases, failure_persistence: None, rng_seed: seed, ..ProptestConfig::default() }
}

/// A valid path.
fn path() -> impl Strategy<Value = String> {
    "[A-Za-z0-9_-][A-Za-z0-9._-]{0,12}(/[A-Za-z0-9_-][A-Za-z0-9._-]{0,12}){0,7}"
}

/// A path that may be valid, or just invalid.
fn almost_path() -> impl Strategy<Value = String> {
    prop_oneof![
        path(),
        "\\PC{0,40}",
        "[a-z./-]{0,12}",
        "[a-z]{98,102}",
        "[a-z]{1,3}(/[a-z]{1,3}){6,8}",
        "([a-z]{40}/){5}[a-z]{47,52}",
        (path(), any::<Pick>(), any::<char>()).prop_map(|(path, at, other)| {
            let at = at.index(path.len());
            format!("{}{other}{}", &path[..at], &path[at..])
        }),
    ]
}

static PORTABLE: LazyLock<Regex> = LazyLock::new(|| {
    let component = "[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}";
    Regex::new(&format!("^{component}(/{component}){{0,7}}\\z")).unwrap()
});

fn digest() -> impl Strategy<Value = Digest> {
    any::<[u8; 32]>().prop_map(Digest::from)
}

proptest! {
    #![proptest_config(tries(2_000))]

    #[test]
    fn paths_are_portable_and_stay_in_their_folder(text in almost_path()) {
        let portable = PORTABLE.is_match(&text) && text.len() <= 255;
        let read: Option<RelativePath> = serde_json::from_value(json!(text)).ok();
        prop_assert_eq!(RelativePath::new(&text).is_ok(), portable, "{}", text);
        prop_assert_eq!(read.is_some(), portable);
        if let Some(path) = read {
            prop_assert_eq!(path.as_str(), &text);
            let mut parts = Path::new(path.as_str()).components();
            prop_assert!(parts.all(|part| matches!(part, Component::Normal(_))));
        }
    }

    #[test]
    fn certificate_path_follows_request_path(text in path(), ending in "(\\.(csr|req|pem|der|key))?") {
        let request = RelativePath::new(&format!("{text}{ending}")).unwrap();
        let Ok(certificate) = request.released() else { return Ok(()) };
        let (request, certificate) = (Path::new(request.as_str()), Path::new(certificate.as_str()));
        let folder = Path::new("certificates").join(request.parent().unwrap());
        prop_assert_eq!(certificate.parent().unwrap(), folder);
        prop_assert_eq!(certificate.extension().unwrap(), "crt");
        let stem = certificate.file_stem().unwrap().to_str().unwrap();
        prop_assert!(request.file_name().unwrap().to_str().unwrap().starts_with(stem));
    }

    #[test]
    fn digests_round_trip(octets in vec(any::<u8>(), 0..200), at in any::<Pick>()) {
        let digest = Digest::of(&octets);
        prop_assert_eq!(Digest::of_all(octets.as_slice()).unwrap(), digest);
        let text = digest.to_string();
        prop_assert_eq!(&text, &hex(digest.as_bytes()));
        let colons: Vec<String> = digest.as_bytes().iter().map(|octet| format!("{octet:02X}")).collect();
        for same in [text.clone(), text.to_uppercase(), colons.join(":")] {
            prop_assert_eq!(same.parse::<Digest>().unwrap(), digest);
        }
        let mut bad = text.clone();
        bad.replace_range(at.index(64)..=at.index(64), "g");
        prop_assert!(bad.parse::<Digest>().is_err());
        prop_assert!(text[..at.index(64)].parse::<Digest>().is_err());
        let longer = text.clone() + "0";
        prop_assert!(longer.parse::<Digest>().is_err());
        prop_assert_eq!(unhex(&hex(&octets)).unwrap(), octets);
    }

    /// The words of a digest encode all of it, with the published list.
    #[test]
    fn words_encode_the_whole_digest(digest in digest()) {
        let words = digest.words();
        prop_assert_eq!(words.split(' ').count(), 24);
        let heard = bip39::Mnemonic::parse_normalized(&words).unwrap();
        prop_assert_eq!(heard.to_entropy(), digest.as_bytes());
    }
}

/// A pattern with up to three wildcards, and a text that may match it: the literals, with other
/// text for each wildcard.
fn pattern_and_text(literal: &'static str, star: &'static str) -> impl Strategy<Value = (String, String)> {
    let parts = (vec(literal, 1..4), vec(star, 3), 0..8u8);
    parts.prop_map(|(literals, stars, other)| {
        let pattern = literals.join("*");
        let text = literals.iter().zip(&stars).fold(String::new(), |text, (literal, star)| {
            if text.is_empty() { literal.clone() } else { format!("{text}{star}{literal}") }
        });
        // Sometimes the text is truncated.
        let end = if other == 0 { text.len().saturating_sub(1) } else { text.len() };
        let text = if text.is_char_boundary(end) { text[..end].to_owned() } else { text };
        (pattern, text)
    })
}

/// The rule as a regular expression: a wildcard is one or more of these characters.
fn rule(pattern: &str, star: &str) -> Regex {
    let parts: Vec<String> = pattern.split('*').map(regex::escape).collect();
    Regex::new(&format!("^{}\\z", parts.join(&format!("({star}+)")))).unwrap()
}

fn line(path: &str, subject: &str) -> RosterLine {
    serde_json::from_value(json!({
        "path": path, "profile": "client", "authority": "root-ca", "subject": [subject], "days": null, "signer": null
    }))
    .unwrap()
}

/// Matching is linear: trying each way to divide this text among the wildcards would take years.
#[test]
fn hostile_texts_are_matched_in_linear_time() {
    let pattern = ["*"; 12].join(".");
    let text = ".".repeat(200_000);
    assert_eq!(line(&pattern, "CN=*").captures(&format!("{text}/")), None);
    let found = line(&pattern, "CN=*").captures(&text).unwrap();
    assert_eq!(found.first().map(|first| first.len()), Some(200_000 - 22));
}

proptest! {
    #![proptest_config(tries(500))]

    /// A path wildcard matches within one component, and the first one is greedy.
    #[test]
    fn path_wildcards((pattern, text) in pattern_and_text("[ab/.]{0,3}", "[ab.]{0,3}/?")) {
        let found = line(&pattern, "CN=*").captures(&text).map(|found| found.join("|"));
        let expected = rule(&pattern, "[^/]").captures(&text).map(|found| {
            found.iter().skip(1).map(|part| part.unwrap().as_str()).collect::<Vec<_>>().join("|")
        });
        prop_assert_eq!(found, expected, "{} {}", pattern, text);
    }

    /// The text under `subject` decides, and a wildcard never matches a colon.
    #[test]
    fn subject_wildcards(
        (pattern, text) in pattern_and_text("(|a|system:|node:|-b)", "(|a|x y|:|w@b\\.c|system:|masters|=|ä)"),
    ) {
        prop_assume!(!text.is_empty());
        let profiles: ProfileFile = toml::from_str(PROFILES).unwrap();
        let policy =
            Policy::new(&profiles, (&[line("web/*.csr", &format!("CN={pattern}"))], &[]), HashMap::new()).unwrap();
        let request = kubernetes::request(&[format!("CN={text}")], &[], &[]).unwrap().request;
        let path = RelativePath::new("web/a.csr").unwrap();
        let allowed = rule(&pattern, "[A-Za-z0-9 ._@'()/+&,-]").is_match(&text);
        match policy.judge(path, request.as_bytes(), None).outcome {
            Ok(_) => prop_assert!(allowed, "{} allows {}", pattern, text),
            Err(violations) => {
                prop_assert!(!allowed, "{} refuses {}: {:?}", pattern, text, violations);
                prop_assert!(violations.iter().all(|violation| violation.control == Control::NameSubject));
            }
        }
    }
}

prop_compose! {
    fn index()(
        sequence in 1..1u64 << 53,
        (cluster, part) in (proptest::option::of("[a-z0-9_-]{1,20}"), proptest::option::of("[a-z0-9_-]{1,20}")),
        requests in proptest::collection::btree_map(path(), (digest(), ".{0,20}"), 0..6),
        (requester, groups) in (".{0,20}", vec(".{0,10}", 0..3)),
        seconds in proptest::option::of(1u32..),
    ) -> Value {
        let mut index = json!({
            "format": "keyrite-bundle-1", "sequence": sequence, "created": "2026-01-01T00:00:00Z", "requests": []
        });
        for (name, value) in [("cluster", cluster), ("part", part)] {
            if let Some(value) = value {
                index[name] = json!(value);
            }
        }
        for (number, (path, (sha256, profile))) in requests.into_iter().enumerate() {
            let mut entry = json!({ "path": path, "sha256": sha256, "profile": profile });
            if number % 2 == 1 {
                entry["object"] = json!({ "name": "o", "signer": "s/t", "requester": requester, "groups": groups });
                entry["object"]["expiration_seconds"] = json!(seconds);
            }
            index["requests"].as_array_mut().unwrap().push(entry);
        }
        index
    }
}

/// Removes absent members and empty lists, which are not written.
fn plain(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.iter().filter(|(_, value)| !value.is_null());
            let kept = kept.filter(|(name, value)| *name == "requests" || **value != json!([]));
            Value::Object(kept.map(|(name, value)| (name.clone(), plain(value))).collect())
        }
        Value::Array(values) => values.iter().map(plain).collect(),
        other => other.clone(),
    }
}

proptest! {
    #![proptest_config(tries(300))]

    #[test]
    fn index_round_trips(index in index()) {
        let read = Index::parse(index.to_string().as_bytes()).unwrap();
        let written = read.encode().unwrap();
        let value: Value = serde_json::from_slice(&written).unwrap();
        prop_assert_eq!(&value, &plain(&index));
        let again = Index::parse(&written).unwrap();
        prop_assert_eq!(again.encode().unwrap(), written);
        prop_assert_eq!(again.into_entries().len(), index["requests"].as_array().unwrap().len());
    }

    /// Truncated, extended, with an additional member or a duplicate path: invalid.
    #[test]
    fn truncated_or_extended_index_is_invalid(index in index(), at in any::<Pick>(), name in "[a-z]{9,12}") {
        let octets = Index::parse(index.to_string().as_bytes()).unwrap().encode().unwrap();
        // The last octet is a line feed.
        prop_assert!(Index::parse(&octets[..at.index(octets.len() - 1)]).is_err());
        let longer = [octets.as_slice(), b"{}"].concat();
        prop_assert!(Index::parse(&longer).is_err());
        let mut more = index.clone();
        more[&name] = json!(1);
        prop_assert!(Index::parse(more.to_string().as_bytes()).is_err());
        let requests = index["requests"].as_array().unwrap();
        if let Some(count) = std::num::NonZeroUsize::new(requests.len()) {
            let chosen = at.index(count.get());
            let mut more = index.clone();
            more["requests"][chosen][&name] = json!(1);
            prop_assert!(Index::parse(more.to_string().as_bytes()).is_err());
            let mut twice = index.clone();
            twice["requests"].as_array_mut().unwrap().push(requests[chosen].clone());
            prop_assert!(Index::parse(twice.to_string().as_bytes()).is_err());
        }
    }

    /// After a change of one octet an index has at most one meaning and encoding, except for the
    /// case of digits.
    #[test]
    fn modified_index_is_invalid_or_different(index in index(), at in any::<Pick>(), octet in any::<u8>()) {
        let mut octets = Index::parse(index.to_string().as_bytes()).unwrap().encode().unwrap();
        let at = at.index(octets.len());
        octets[at] = octet;
        if let Ok(read) = Index::parse(&octets) {
            let said = |octets: &[u8]| {
                let value: Value = serde_json::from_slice(octets).unwrap();
                plain(&value).to_string().to_lowercase()
            };
            prop_assert_eq!(said(&octets), said(&read.encode().unwrap()));
        }
    }
}

/// A set of shares: its threshold, its shares, and the selected shares in order.
fn shares() -> impl Strategy<Value = (usize, Vec<Share>, Vec<usize>)> {
    (2..=9usize, 0..=7usize, any::<u64>()).prop_flat_map(|(threshold, more, seed)| {
        let count = threshold + more;
        let mut state = seed;
        let mut random = |octets: &mut [u8]| -> Result<(), ShareError> {
            for octet in octets {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *octet = (state >> 56) as u8;
            }
            Ok(())
        };
        let shares = split(threshold, count, &mut random).unwrap();
        let some = subsequence((0..count).collect::<Vec<_>>(), threshold).prop_shuffle();
        (Just(threshold), Just(shares), some)
    })
}

fn collected<'s>(shares: impl IntoIterator<Item = &'s Share>) -> Collected {
    let mut set = Collected::default();
    shares.into_iter().for_each(|share| set.add(share.clone()).unwrap());
    set
}

proptest! {
    #![proptest_config(tries(200))]

    #[test]
    fn threshold_shares_recover_the_secret((threshold, shares, some) in shares()) {
        let first = collected(&shares[..threshold]).secret().unwrap();
        let other = collected(some.iter().map(|at| &shares[*at])).secret().unwrap();
        prop_assert_eq!(other.expose_secret(), first.expose_secret());
        let few = collected(some.iter().skip(1).map(|at| &shares[*at]));
        let missing = ShareError::TooFew { have: threshold - 1, need: threshold };
        prop_assert_eq!(few.secret().unwrap_err(), missing);
        let mut twice = collected(&shares[..1]);
        prop_assert_eq!(twice.add(shares[0].clone()).unwrap_err(), ShareError::Repeated('a'));
    }

    #[test]
    fn shares_parse_in_any_typing(
        (_, shares, some) in shares(),
        upper in any::<bool>(),
        gaps in vec((any::<Pick>(), select(vec![" ", "-", "  ", "\t"])), 0..6),
    ) {
        let share = &shares[some[0]];
        let written = share.grouped();
        let mut typed = if upper { written.to_uppercase() } else { written.to_string() };
        for (at, gap) in gaps {
            typed.insert_str(at.index(typed.len() + 1), gap);
        }
        prop_assert!(Share::read(&typed).unwrap().is(share));
    }

    /// BIP-93: up to eight wrong characters are always detected.
    #[test]
    fn up_to_eight_errors_are_detected(
        (_, shares, some) in shares(),
        places in btree_set(3..48usize, 1..=8),
        turns in vec(1..32usize, 8),
    ) {
        let characters = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
        let mut text = shares[some[0]].grouped().replace(' ', "").into_bytes();
        for (place, turn) in places.iter().zip(turns) {
            let value = characters.iter().position(|c| *c == text[*place]).unwrap();
            text[*place] = characters[(value + turn) % 32];
        }
        let bad = String::from_utf8(text).unwrap();
        prop_assert_eq!(Share::read(&bad).unwrap_err(), ShareError::Checksum, "{}", bad);
    }
}

fn head() -> impl Strategy<Value = Value> {
    (".{0,20}", ".{0,20}", digest(), 1u64.., any::<bool>(), vec("[a-z-]{1,9}", 0..3)).prop_map(
        |(title, label, sum, sequence, unattended, keys)| {
            let keys: Vec<Value> =
                keys.iter().map(|name| json!({ "name": name, "certificate_sha256": sum })).collect();
            let mut head = json!({
                "format": "keyrite-manifest-2", "kind": "production", "unattended": unattended,
                "sequence": sequence, "previous_manifest_sha256": null, "created": "2026-01-01T00:00:00Z",
                "tool": { "version": "1", "sha256": sum },
                "plan": { "title": title, "script": "s.toml", "sha256": sum }, "bundle_sha256": sum,
                "token": { "manufacturer": label, "model": "m", "serial": "1", "label": label, "firmware": "2" },
                "transcript": { "path": "transcript.jsonl", "sha256": sum, "head": sum },
                "signer": { "authority": "root-ca", "certificate_sha256": sum }, "authorities": []
            });
            if !keys.is_empty() {
                head["manifest_keys"] = json!(keys);
            }
            head
        },
    )
}

fn certificate() -> impl Strategy<Value = CertificateEntry> {
    (path(), digest(), ".{0,30}", vec("[a-z.]{1,12}", 0..3), vec(".{0,20}", 0..3), any::<bool>()).prop_map(
        |(path, sum, subject, dns, notes, delegated)| {
            let mut entry = json!({
                "path": path, "file_sha256": sum, "request_path": path, "request_sha256": sum, "sha256": sum,
                "serial": "1", "profile": "server", "authority": "root-ca", "subject": subject, "dns": dns,
                "ip": [], "not_before": "", "not_after": "", "spki_sha256": sum, "notes": notes
            });
            if delegated {
                entry["delegated"] = json!(true);
            }
            serde_json::from_value(entry).unwrap()
        },
    )
}

fn refusal() -> impl Strategy<Value = RefusalEntry> {
    (path(), digest(), vec((".{0,9}", ".{0,30}"), 0..3)).prop_map(|(path, sum, reasons)| {
        let reasons: Vec<Value> = reasons
            .iter()
            .map(|(control, message)| json!({ "control": control, "message": message }))
            .collect();
        let entry = json!({ "request_path": path, "request_sha256": sum, "reasons": reasons });
        serde_json::from_value(entry).unwrap()
    })
}

#[derive(Debug, Default, PartialEq)]
struct Manifest {
    head: Option<Head>,
    certificates: Vec<CertificateEntry>,
    refusals: Vec<RefusalEntry>,
}

impl Reader for Manifest {
    fn head(&mut self, head: Head) -> Result<(), ReleaseError> {
        self.head = Some(head);
        Ok(())
    }

    fn certificate(&mut self, entry: CertificateEntry) -> Result<(), ReleaseError> {
        self.certificates.push(entry);
        Ok(())
    }

    fn refusal(&mut self, entry: RefusalEntry) -> Result<(), ReleaseError> {
        self.refusals.push(entry);
        Ok(())
    }
}

fn manifest() -> impl Strategy<Value = Manifest> {
    (head(), vec(certificate(), 0..4), vec(refusal(), 0..4)).prop_map(|(head, certificates, refusals)| {
        Manifest { head: Some(serde_json::from_value(head).unwrap()), certificates, refusals }
    })
}

fn written(manifest: &Manifest) -> Vec<u8> {
    let mut writer = ManifestWriter::new(Vec::new(), manifest.head.as_ref().unwrap()).unwrap();
    for certificate in &manifest.certificates {
        writer.certificate(&entry(certificate).unwrap()).unwrap();
    }
    for refusal in &manifest.refusals {
        writer.refusal(&entry(refusal).unwrap()).unwrap();
    }
    writer.finish().unwrap()
}

/// Start of the lists: the head before them is ordinary JSON.
fn lists(octets: &[u8]) -> usize {
    let first = b"\n  \"certificates\": [";
    octets.windows(first.len()).position(|window| window == first).unwrap() + 1
}

fn read_back(octets: &[u8]) -> Result<Manifest, ReleaseError> {
    let mut manifest = Manifest::default();
    read(octets, &mut manifest).map(|()| manifest)
}

proptest! {
    #![proptest_config(tries(200))]

    /// Strict JSON with the same members as its parts; it round-trips.
    #[test]
    fn manifest_round_trips(manifest in manifest()) {
        let octets = written(&manifest);
        let members: BTreeMap<String, Value> = serde_json::from_slice(&octets).unwrap();
        prop_assert_eq!(&members["certificates"], &json!(manifest.certificates));
        prop_assert_eq!(&members["refusals"], &json!(manifest.refusals));
        prop_assert_eq!(read_back(&octets).unwrap(), manifest);
    }

    /// Truncated, extended, or with another line: invalid.
    #[test]
    fn truncated_or_extended_manifest_is_invalid(
        manifest in manifest(),
        at in any::<Pick>(),
        more in select(vec!["\n", " \n", "x\n", "{}\n", "    {}\n", "  ],\n"]),
    ) {
        let octets = written(&manifest);
        prop_assert!(read_back(&octets[..at.index(octets.len())]).is_err());
        prop_assert!(read_back(&[octets.as_slice(), more.as_bytes()].concat()).is_err());
        let head = lists(&octets);
        let text = String::from_utf8(octets).unwrap();
        let starts: Vec<usize> = text[head..].match_indices('\n').map(|(at, _)| head + at + 1).collect();
        let start = starts[at.index(starts.len())];
        let longer = [&text[..start], more, &text[start..]].concat();
        prop_assert!(read_back(longer.as_bytes()).is_err(), "{}", longer);
    }

    /// After a change of one octet each entry is still one line.
    #[test]
    fn modified_manifest_is_invalid_or_different(
        manifest in manifest(),
        at in any::<Pick>(),
        octet in select(b" \n\t{}[],:\"\\a0\xff".to_vec()),
    ) {
        let octets = written(&manifest);
        // Only line boundaries, because the text in between is JSON's.
        let head = lists(&octets);
        let ends = (head..octets.len()).filter(|at| octets[*at] == b'\n');
        let places: Vec<usize> = ends.flat_map(|end| end.saturating_sub(2)..end + 6).collect();
        let mut changed = octets.clone();
        changed[places[at.index(places.len())].min(octets.len() - 1)] = octet;
        if let Ok(read) = read_back(&changed) {
            let again = written(&read);
            prop_assert_eq!(read_back(&again).unwrap(), read);
            let lines = |octets: &[u8]| octets.split(|octet| *octet == b'\n').count();
            prop_assert_eq!(lines(&changed), lines(&again));
        }
    }
}
