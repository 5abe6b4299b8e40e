//! Choice of the room by the arguments.

use std::io::IsTerminal;
use std::path::Path;

use super::answers_file::AnswersFile;
use super::pin::PinSource;
use super::progress::Bar;
use super::secrets::{ShareSource, Shares};
use super::terminal::Terminal;
use crate::ceremony::{Answers, Room};
use crate::failure::Failure;
use crate::media::read_text;

/// Returns the room of this answers file or, without one, the terminal.
pub fn room(answers: Option<&Path>, pin: PinSource, shares: ShareSource) -> Result<Box<dyn Room>, Failure> {
    shares.check_new()?;
    pin.check()?;
    let (shares, bar) = (Shares::new(shares), Bar::default());
    if let Some(path) = answers {
        let text = read_text(path, 1 << 16).map_err(|e| Failure::usage(e.to_string()))?;
        let answers = Answers::parse(&text).map_err(|e| Failure::usage(e.to_string()))?;
        return Ok(Box::new(AnswersFile { answers, pin, shares, bar }));
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(
            "no terminal for confirmations; run keyrite at a terminal or use --answers",
        ));
    }
    Ok(Box::new(Terminal { pin, shares, bar }))
}
