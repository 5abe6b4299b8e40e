//! `keyrite token`: lists, initialises and inspects tokens.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use schemars::JsonSchema;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::output::{say, say_json};
use super::pin::PinSource;
use crate::failure::Failure;
use crate::media::read_text;
use crate::plan::MAX_FILE;
use crate::record::{Inventory, TokenFacts};
use crate::token::{Blank, Error, HsmProfile, Module, Selector};

/// Subcommands of `token`.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List all tokens that are present
    List {
        /// HSM profile
        #[arg(long, value_name = "HSM-PROFILE")]
        hsm: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Initialise an empty token
    Init(Init),
    /// Log in and list the objects of a token
    Inspect(Inspect),
}

/// Arguments of `token init`.
#[derive(Debug, Args)]
pub struct Init {
    /// HSM profile
    #[arg(long, value_name = "HSM-PROFILE")]
    hsm: PathBuf,
    /// New label of the token
    #[arg(long)]
    label: String,
    /// Serial number of the token
    #[arg(long, value_name = "SERIAL")]
    token_serial: Option<String>,
    /// Read the security officer's PIN from the first line of this file
    #[arg(long, value_name = "FILE")]
    so_pin_file: Option<PathBuf>,
    #[command(flatten)]
    pin: PinSource,
}

/// Arguments of `token inspect`.
#[derive(Debug, Args)]
pub struct Inspect {
    /// HSM profile
    #[arg(long, value_name = "HSM-PROFILE")]
    hsm: PathBuf,
    /// Serial number of the token
    #[arg(long, value_name = "SERIAL")]
    token_serial: Option<String>,
    /// Label of the token
    #[arg(long, value_name = "LABEL")]
    token_label: Option<String>,
    #[command(flatten)]
    pin: PinSource,
    /// Try the PIN even if one more wrong PIN would lock the token
    #[arg(long)]
    accept_final_try: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::List { hsm, json } => list(&load(&hsm)?, json),
        Command::Init(arguments) => init(arguments),
        Command::Inspect(arguments) => inspect(arguments),
    }
}

fn load(hsm: &Path) -> Result<Module, Failure> {
    Ok(Module::load(HsmProfile::parse(&profile_text(hsm)?)?)?)
}

/// Reads the text of an HSM profile.
pub fn profile_text(path: &Path) -> Result<String, Failure> {
    read_text(path, MAX_FILE).map_err(|e| Failure::usage(e.to_string()))
}

/// Output of `token inspect --json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "keyrite token inspect --json")]
pub struct InspectJson {
    /// The token.
    token: TokenFacts,
    /// Objects that are visible to the user.
    objects: Inventory,
}

fn list(module: &Module, json: bool) -> Result<(), Failure> {
    let tokens = module.tokens()?;
    if json {
        return say_json(&tokens);
    }
    say(&format!("module {} (SHA-256 {})", module.path().display(), module.digest()));
    for token in &tokens {
        say(&format!("  {}{}", token.line(), pin_state(token)));
    }
    if tokens.is_empty() {
        say("  no token is present");
    }
    Ok(())
}

fn pin_state(token: &TokenFacts) -> &'static str {
    match token {
        TokenFacts { pin_locked: true, .. } => ", PIN locked",
        TokenFacts { pin_final_try: true, .. } => ", last PIN attempt",
        TokenFacts { pin_count_low: true, .. } => ", wrong PIN entered",
        TokenFacts { initialised: true, user_pin_set: false, .. } => ", no user PIN set",
        _ => "",
    }
}

fn init(arguments: Init) -> Result<(), Failure> {
    let module = load(&arguments.hsm)?;
    let blank = Blank::find(&module, arguments.token_serial.as_deref(), &arguments.label)?;
    let so_source = PinSource { pin_file: arguments.so_pin_file, pin_fd: None };
    let so_pin = if blank.is_begun() {
        say("the token is already labelled but has no user PIN; only the PIN is set");
        so_source.read("Security officer's PIN")?
    } else {
        new_pin(&so_source, "Security officer's PIN", &|pin| blank.check_so_pin(pin))?
    };
    let pin = new_pin(&arguments.pin, "User PIN", &|pin| blank.check_user_pin(pin))?;
    let token = blank.initialise(&so_pin, &pin)?;
    say(&format!("initialised: {}", token.line()));
    Ok(())
}

/// Reads a new PIN and checks it against the token's limits; at a terminal it is typed twice.
fn new_pin(
    source: &PinSource,
    what: &str,
    check: &dyn Fn(&SecretString) -> Result<(), Error>,
) -> Result<SecretString, Failure> {
    let pin = source.read(what)?;
    check(&pin)?;
    if source.is_typed() && source.read(&format!("{what}, again"))?.expose_secret() != pin.expose_secret() {
        return Err(Failure::usage(format!("{what}: the two entries differ; nothing was changed")));
    }
    Ok(pin)
}

fn inspect(arguments: Inspect) -> Result<(), Failure> {
    let module = load(&arguments.hsm)?;
    let named = Selector { serial: arguments.token_serial, label: arguments.token_label };
    let token = module.choose_or_usual(&named)?;
    let pin = if module.wants_pinpad(&token)? {
        None
    } else {
        Some(arguments.pin.read(&format!("User PIN of token {}", token.label))?)
    };
    let session = module.open(&token, pin.as_ref(), arguments.accept_final_try)?;
    let objects = session.inventory()?;
    if arguments.json {
        return say_json(&InspectJson { token, objects });
    }
    say(&format!("{}, firmware {}{}", token.line(), token.firmware, pin_state(&token)));
    for object in &objects {
        say(&format!("  {:<16} {:<32} ID {}", object.class, object.label, object.id));
    }
    if objects.is_empty() {
        say("  the token has no object that its user can see");
    }
    Ok(())
}
