//! The corpus: requests with new P-256 keys, as a folder and as a tar of the same tree.

use std::fs;
use std::path::Path;

use super::support::Lab;

/// Writes requests to `BUNDLE/web/NUMBER.csr`, if a folder is wanted, and to `BUNDLE.tar`.
///
/// Requests are signed in two threads and written in order, so that a million need no memory.
pub fn make(lab: &Lab, name: &str, count: usize, folder: bool) {
    let mut archive = tar::Builder::new(std::io::BufWriter::with_capacity(
        1 << 20,
        fs::File::create(lab.path(&format!("{name}.tar"))).expect("tar"),
    ));
    if folder {
        fs::create_dir_all(lab.path(&format!("{name}/web"))).expect("folder");
    }
    for start in (0..count).step_by(2000) {
        let end = (start + 2000).min(count);
        let middle = start + (end - start) / 2;
        let (first, second) = std::thread::scope(|scope| {
            let first = scope.spawn(|| requests(name, start, middle));
            (requests(name, middle, end), first.join().expect("thread"))
        });
        for (number, text) in second.into_iter().chain(first) {
            let path = format!("web/{number:07}.csr");
            let mut header = tar::Header::new_ustar();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            archive.append_data(&mut header, &path, text.as_bytes()).expect("tar");
            if folder {
                fs::write(lab.path(&format!("{name}/{path}")), &text).expect("request");
            }
        }
    }
    archive.into_inner().expect("tar");
}

fn requests(name: &str, start: usize, end: usize) -> Vec<(usize, String)> {
    (start..end)
        .map(|number| {
            let host = format!("n{number}-{name}.example.test");
            let made = keyrite::kubernetes::request(&[format!("CN={host}")], &[host], &[]).expect("request");
            (number, made.request)
        })
        .collect()
}

/// Returns the octets of all requests, by number.
pub fn read(folder: &Path) -> Vec<Vec<u8>> {
    let mut files = super::support::walk(folder);
    files.sort();
    files.iter().map(|path| fs::read(path).expect("request")).collect()
}
