//! What would be signed, certificate by certificate: the TBSCertificate as octets and as text. With
//! the real key only what depends on it or on the moment differs.

use super::Stage;
use crate::cli::Failure;
use crate::issuance::{Certificate, preview};
use crate::media::{RelativePath, shown};
use crate::release::{self, CertificateEntry, Head, Reader, RefusalEntry};

/// What the real ceremony makes anew.
const DIFFERS: &str = "REHEARSAL. The real ceremony makes anew: serial number, times, issuer and its key identifier,\nand the signature algorithm where the real issuer has a key of another kind.\n";

/// Writes the previews of a rehearsal's release and of these authorities in it; returns how many.
pub fn write(stage: &Stage, made: &[&str]) -> Result<usize, Failure> {
    let path = stage.folder.join("release/manifest.json");
    let fault = |e: String| Failure::fault(format!("{}: {e}", path.display()));
    let file = std::fs::File::open(&path).map_err(|e| fault(e.to_string()))?;
    let mut previews = Previews { stage, made, count: 0 };
    release::read(file, &mut previews).map_err(|e| fault(e.0))?;
    Ok(previews.count)
}

struct Previews<'s> {
    stage: &'s Stage,
    made: &'s [&'s str],
    count: usize,
}

impl Previews<'_> {
    fn one(&self, path: &RelativePath, request: &RelativePath, profile: &str) -> Result<(), String> {
        let octets = std::fs::read(self.stage.folder.join("release").join(path.as_str()));
        let certificate =
            Certificate::from_pem(&octets.map_err(|e| e.to_string())?).map_err(|e| e.to_string())?;
        let mut text =
            format!("{DIFFERS}\n{:<34} {request}\n{:<34} {profile}\n", "request", "certificate profile");
        for (label, value) in preview(&certificate).map_err(|e| e.to_string())? {
            text.push_str(&format!("{label:<34} {}\n", shown(&value)));
        }
        let stem = request.as_str().trim_end_matches(".csr").trim_end_matches(".crt");
        let write = |ending: &str, octets: &[u8]| {
            self.stage.write_octets(&format!("preview/{stem}.{ending}"), octets, 0o644).map_err(|e| e.message)
        };
        write("txt", text.as_bytes())?;
        write("tbs.der", certificate.tbs_octets().map_err(|e| e.to_string())?)
    }
}

impl Reader for Previews<'_> {
    fn head(&mut self, head: Head) -> Result<(), release::Error> {
        for entry in head.authorities.iter().filter(|entry| self.made.contains(&entry.name.as_str())) {
            self.count += 1;
            self.one(&entry.path, &entry.path, &entry.profile).map_err(release::Error)?;
        }
        Ok(())
    }

    fn certificate(&mut self, entry: CertificateEntry) -> Result<(), release::Error> {
        self.count += 1;
        self.one(&entry.path, &entry.request_path, &entry.profile).map_err(release::Error)
    }

    fn refusal(&mut self, _: RefusalEntry) -> Result<(), release::Error> {
        Ok(())
    }
}
