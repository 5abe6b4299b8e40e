//! Progress of long work: a bar at a terminal, otherwise a line for every tenth.

use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::output::say;
use crate::signing::Progress;

/// Progress of the current work, if any.
#[derive(Debug, Default)]
pub struct Bar(Option<Work>);

impl Bar {
    pub fn show(&mut self, progress: &Progress) {
        self.0.get_or_insert_with(|| Work::new(progress)).show(progress);
    }

    /// Removes the bar from the screen.
    pub fn end(&mut self) {
        if let Some(work) = self.0.take() {
            work.bar.finish_and_clear();
        }
    }
}

#[derive(Debug)]
struct Work {
    bar: ProgressBar,
    doing: &'static str,
    plain: bool,
    tenths: usize,
    began: Instant,
    /// Number done before this run.
    before: usize,
}

impl Work {
    fn new(progress: &Progress) -> Self {
        // Lines for a terminal that cannot move its cursor, and for a screen reader.
        let dumb = std::env::var_os("TERM").is_none_or(|name| name.is_empty() || name == "dumb");
        let plain = dumb || !std::io::stderr().is_terminal();
        let bar = match progress.all {
            Some(all) => ProgressBar::new(all as u64),
            None => ProgressBar::no_length(),
        };
        if plain {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let template = match progress.all {
            Some(_) => "  {bar:12} {pos} of {len} {prefix}, {percent} %{msg} refused",
            None => "  {pos} {prefix}{msg} refused so far",
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##-"));
        bar.set_prefix(progress.doing);
        let tenths = progress.all.map_or(0, |all| progress.done * 10 / all.max(1));
        Self { bar, doing: progress.doing, plain, tenths, began: Instant::now(), before: progress.done }
    }

    fn show(&mut self, progress: &Progress) {
        if progress.doing != self.doing {
            self.bar.finish_and_clear();
            *self = Self::new(progress);
        }
        self.bar.set_message(self.rate(progress));
        self.bar.set_position(progress.done as u64);
        if self.plain {
            self.line(progress);
        }
    }

    /// Formats the rate and the time left, if known yet, and the number of refusals.
    fn rate(&self, progress: &Progress) -> String {
        let (done, seconds) = (progress.done.saturating_sub(self.before), self.began.elapsed().as_secs_f64());
        if done == 0 || seconds == 0.0 {
            return format!(", {}", progress.refused);
        }
        let rate = done as f64 / seconds;
        let places = usize::from(rate < 10.0);
        let left = progress.all.map_or(String::new(), |all| {
            let seconds = all.saturating_sub(progress.done) as f64 / rate;
            // The quotient overflows if the rate is close to zero.
            let left = Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX);
            format!(", {} left", HumanDuration(left))
        });
        format!(", {rate:.places$} a second{left}, {}", progress.refused)
    }

    fn line(&mut self, progress: &Progress) {
        let Some(all) = progress.all.filter(|all| *all >= 500) else { return };
        let tenths = progress.done * 10 / all;
        if tenths > self.tenths {
            self.tenths = tenths;
            let (done, doing, rate) = (progress.done, progress.doing, self.rate(progress));
            say(&format!("  {done} of {all} {doing}, {} %{rate} refused", tenths * 10));
        }
    }
}
