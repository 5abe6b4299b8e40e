//! Timing of each part of one certificate: parse, policy, TBSCertificate, assembly, ledger,
//! manifest.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a bench fails by panicking"
)]

use std::collections::HashMap;
use std::hint::black_box;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use criterion::{Criterion, criterion_group, criterion_main};
use der::{DateTime, Decode, Encode};
use keyrite::issuance::{Authority, Serial, Signed, Template, ToBeSigned, Validity};
use keyrite::keys::PublicKey;
use keyrite::ledger::{Advance, Ledger, Rows};
use keyrite::media::RelativePath;
use keyrite::policy::{Approval, Policy, ProfileFile, RosterLine, subject_from};
use keyrite::release::{ManifestWriter, Reader};
use keyrite::request::{BundleFile, CertificationRequest};

const PROFILES: &str = r#"
[root]
source = "bench"
kind = "root"
days = 3650
key_usage = ["keyCertSign", "cRLSign"]
[server]
source = "bench"
kind = "leaf"
days = 365
key_usage = ["digitalSignature", "keyEncipherment"]
extended_key_usage = ["serverAuth"]
names = "required"
"#;

#[derive(serde::Deserialize)]
struct Roster {
    roster: Vec<RosterLine>,
}

/// A CA in software, a policy and a request that it approves.
struct Stage {
    pair: EcdsaKeyPair,
    policy: Policy,
    template: Template,
    request: Vec<u8>,
    now: DateTime,
}

impl Stage {
    fn new() -> Self {
        let profiles: ProfileFile = toml::from_str(PROFILES).unwrap();
        let roster: Roster = toml::from_str("[[roster]]\npath = \"web/*.csr\"\nprofile = \"server\"\nauthority = \"ca\"\nsubject = [\"CN=*\"]\ndns = [\"*.example.test\"]\n").unwrap();
        let policy = Policy::new(&profiles, (&roster.roster, &[]), HashMap::new()).unwrap();
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let now = DateTime::new(2030, 1, 1, 0, 0, 0).unwrap();
        let made =
            keyrite::kubernetes::request(&["CN=a.example.test".into()], &["a.example.test".into()], &[]);
        let request = made.unwrap().request.into_bytes();
        let authority = Arc::new(authority(&pair, &profiles, &request, now));
        let (profile, _) = policy.issues().next().unwrap();
        let template = Template::new(authority, profile).unwrap();
        Self { template, pair, policy, request, now }
    }

    fn approval(&self, name: &str) -> Approval {
        let path = RelativePath::new(&format!("web/{name}.csr")).unwrap();
        self.policy.judge(path, &self.request, None).outcome.unwrap()
    }

    fn tbs(&self, row: i64) -> ToBeSigned {
        let serial = Serial::derive(&[1; 32], &[2; 32], 1, row);
        self.template.fill(&self.approval("a"), serial, self.now).unwrap()
    }

    fn sign(&self, tbs: &ToBeSigned) -> Vec<u8> {
        self.pair.sign(&SystemRandom::new(), tbs.octets()).unwrap().as_ref().to_vec()
    }
}

/// Creates a root with a software key, by replacing the key of a request.
fn authority(pair: &EcdsaKeyPair, profiles: &ProfileFile, request: &[u8], now: DateTime) -> Authority {
    let (_, der) = der::pem::decode_vec(request).unwrap();
    let parsed = x509_cert::request::CertReq::from_der(&der).unwrap();
    let mut info = parsed.info.public_key;
    info.subject_public_key = der::asn1::BitString::from_bytes(pair.public_key().as_ref()).unwrap();
    let key = PublicKey::try_from(info.to_der().unwrap().as_slice()).unwrap();
    let subject = subject_from(&["CN=Bench".into()]).unwrap();
    let validity = Validity::days(now, 3650).unwrap();
    let serial = Serial::derive(&[0; 32], &[0; 32], 1, 0);
    let tbs =
        ToBeSigned::for_token_key("ca", &profiles["root"], &subject, &key, None, serial, validity).unwrap();
    let signature = pair.sign(&SystemRandom::new(), tbs.octets()).unwrap().as_ref().to_vec();
    Authority::new("ca", Signed::assemble(&tbs, signature).unwrap().certificate().unwrap()).unwrap()
}

fn certificates(c: &mut Criterion) {
    let stage = Stage::new();
    let request = stage.request.as_slice();
    let path = || RelativePath::new("web/a.csr").unwrap();
    c.bench_function("parse and prove a request", |b| {
        b.iter(|| CertificationRequest::from_file(black_box(request)).unwrap());
    });
    c.bench_function("judge it (parse, prove, policy)", |b| {
        b.iter(|| stage.policy.judge(path(), black_box(request), None));
    });
    let approval = stage.approval("a");
    let serial = Serial::derive(&[1; 32], &[2; 32], 1, 1);
    c.bench_function("TBSCertificate, built and looked at again", |b| {
        b.iter(|| stage.template.fill(black_box(&approval), serial, stage.now).unwrap());
    });
    let tbs = stage.tbs(1);
    let signature = stage.sign(&tbs);
    c.bench_function("verify the own signature and assemble", |b| {
        b.iter(|| Signed::assemble(black_box(&tbs), signature.clone()).unwrap());
    });
    c.bench_function("PEM and manifest entry", |b| {
        b.iter(|| keyrite::release::compose_leaf(&approval, tbs.octets(), black_box(&signature)).unwrap());
    });
}

/// A thousand requests through the ledger: imported, then reserved and recorded in groups of 64.
fn ledger(c: &mut Criterion) {
    let stage = Stage::new();
    let mut group = c.benchmark_group("ledger");
    group.sample_size(10).throughput(criterion::Throughput::Elements(1024));
    let dir = tempfile::tempdir().unwrap();
    let mut number = 0;
    group.bench_function("import, reserve and record 1024, synced", |b| {
        b.iter(|| {
            number += 1;
            let mut ledger = Ledger::open_or_create(&dir.path().join(number.to_string()), false).unwrap();
            let mut import = ledger.import().unwrap();
            for at in 0..1024 {
                let path = RelativePath::new(&format!("web/{at:05}.csr")).unwrap();
                let mut judged = stage.policy.judge(path.clone(), &stage.request, None);
                judged.key = None;
                let file = BundleFile { path, octets: stage.request.clone(), entry: None, bundle: 0 };
                import.add(&judged, &file).unwrap();
            }
            let imported = import.settle(&stage.policy).unwrap();
            import.commit("{}", None, Some(imported), &[]).unwrap();
            let mut row = 0;
            loop {
                let approved = ledger.rows_after(Rows::Approved, row, 64).unwrap();
                let Some(last) = approved.last() else { break };
                row = last.id;
                let reserve = approved.iter().map(|one| (one.id, stage.tbs(one.id))).collect();
                let reserved = ledger.advance(Advance { reserve, ..Advance::default() }).unwrap();
                let signed = reserved.into_iter().map(|reservation| {
                    let signature = stage.sign(reservation.tbs());
                    let signed = Signed::assemble(reservation.tbs(), signature).unwrap();
                    (reservation, signed)
                });
                let signed = signed.collect();
                ledger.advance(Advance { signed, ..Advance::default() }).unwrap();
            }
        });
    });
    group.finish();
}

/// Discards entries.
struct Counted(usize);

impl Reader for Counted {
    fn head(&mut self, _: keyrite::release::Head) -> Result<(), keyrite::release::Error> {
        Ok(())
    }

    fn certificate(&mut self, _: keyrite::release::CertificateEntry) -> Result<(), keyrite::release::Error> {
        self.0 += 1;
        Ok(())
    }

    fn refusal(&mut self, _: keyrite::release::RefusalEntry) -> Result<(), keyrite::release::Error> {
        Ok(())
    }
}

fn manifest(c: &mut Criterion) {
    let stage = Stage::new();
    let tbs = stage.tbs(1);
    let leaf = keyrite::release::compose_leaf(&stage.approval("a"), tbs.octets(), &stage.sign(&tbs)).unwrap();
    let zeros = "00".repeat(32);
    let head = serde_json::json!({
        "format": "keyrite-manifest-1", "kind": "rehearsal", "unattended": true, "sequence": 1,
        "previous_manifest_sha256": null, "created": "2030-01-01T00:00:00Z",
        "tool": { "version": "0", "sha256": zeros },
        "plan": { "title": "bench", "script": "bench.toml", "sha256": zeros },
        "bundle_sha256": null,
        "token": { "manufacturer": "", "model": "", "serial": "", "label": "", "firmware": "" },
        "transcript": { "path": "transcript.jsonl", "sha256": zeros, "head": zeros },
        "signer": { "authority": "ca", "certificate_sha256": zeros },
        "authorities": [],
    });
    let head = serde_json::from_value(head).unwrap();
    let write = || {
        let mut writer = ManifestWriter::new(Vec::new(), &head).unwrap();
        (0..1000).for_each(|_| writer.certificate(&leaf.entry).unwrap());
        writer.finish().unwrap()
    };
    let mut group = c.benchmark_group("manifest");
    group.throughput(criterion::Throughput::Elements(1000));
    group.bench_function("write 1000 entries", |b| b.iter(write));
    let octets = write();
    group.bench_function("read 1000 entries", |b| {
        b.iter(|| {
            let mut counted = Counted(0);
            keyrite::release::read(black_box(octets.as_slice()), &mut counted).unwrap();
            assert_eq!(counted.0, 1000);
        });
    });
    group.finish();
}

criterion_group!(parts, certificates, ledger, manifest);
criterion_main!(parts);
