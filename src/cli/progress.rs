//! Long work as people see it: a bar at a terminal, a line at each tenth elsewhere.

use std::io::IsTerminal;

use indicatif::{HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::terminal::say;
use crate::ceremony::Progress;

/// One piece of long work.
#[derive(Debug)]
pub struct Work {
    bar: ProgressBar,
    doing: &'static str,
    plain: bool,
    tenths: usize,
}

impl Work {
    /// Work that begins.
    pub fn new(progress: &Progress) -> Self {
        // A terminal that cannot move its cursor gets lines, and so does a screen reader that asks for it.
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
            Some(_) => {
                "  {bar:12} {pos} of {len} {prefix}, {percent} %, {per_sec}, {eta} left, {msg} refused"
            }
            None => "  {pos} {prefix}, {per_sec}, {msg} refused so far",
        };
        let style = ProgressStyle::with_template(template);
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()).progress_chars("##-"));
        bar.set_prefix(progress.doing);
        Self { bar, doing: progress.doing, plain, tenths: 0 }
    }

    /// Tells how far it has come.
    pub fn tell(&mut self, progress: &Progress) {
        if progress.doing != self.doing {
            self.bar.finish_and_clear();
            *self = Self::new(progress);
        }
        self.bar.set_message(progress.refused.to_string());
        self.bar.set_position(progress.done as u64);
        if self.plain {
            self.line(progress);
        }
    }

    /// Takes the bar away.
    pub fn end(self) {
        self.bar.finish_and_clear();
    }

    fn line(&mut self, progress: &Progress) {
        let Some(all) = progress.all.filter(|all| *all >= 500) else { return };
        let tenths = progress.done * 10 / all;
        if tenths > self.tenths {
            self.tenths = tenths;
            say(&format!(
                "  {} of {all} {}, {} %, {:.0} a second, {} left, {} refused",
                progress.done,
                progress.doing,
                tenths * 10,
                self.bar.per_sec(),
                HumanDuration(self.bar.eta()),
                progress.refused
            ));
        }
    }
}
