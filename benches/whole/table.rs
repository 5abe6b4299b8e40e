//! Figures of several rounds: median, minimum, maximum.

use std::io::Write;

/// Named figures, in order of first appearance.
#[derive(Default)]
pub struct Series(Vec<(String, Vec<f64>)>);

impl Series {
    pub fn add(&mut self, name: &str, figure: f64) {
        say(&format!("  {name}: {figure:.3}"));
        match self.0.iter_mut().find(|(known, _)| known == name) {
            Some((_, figures)) => figures.push(figure),
            None => self.0.push((name.to_owned(), vec![figure])),
        }
    }

    pub fn table(&self) -> String {
        let mut text = String::from("| figure | median | minimum | maximum |\n|---|---|---|---|\n");
        for (name, figures) in &self.0 {
            let mut sorted = figures.clone();
            sorted.sort_by(f64::total_cmp);
            let digits = if sorted[0] < 20.0 { 2 } else { 0 };
            text += &format!(
                "| {name} | {:.digits$} | {:.digits$} | {:.digits$} |\n",
                sorted[sorted.len() / 2],
                sorted[0],
                sorted[sorted.len() - 1]
            );
        }
        text
    }
}

/// What was measured, and on which machine.
pub fn heading(what: &str) -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name\t: ")).unwrap_or("unknown");
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    format!(
        "{what}.\nMachine: {model}, {cores} virtual cores, shared with others; SoftHSM 2 with OpenSSL.\n\n"
    )
}

pub fn say(text: &str) {
    writeln!(std::io::stdout(), "{text}").expect("standard output");
}

/// Prints a result and writes it to the repository.
pub fn write(name: &str, text: &str) {
    say(&format!("\n{text}"));
    std::fs::write(super::support::repository().join("benches").join(name), text).expect(name);
}
