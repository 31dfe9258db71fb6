//! What can be asked on the command line.

use clap::{Args, Parser, Subcommand, ValueEnum};
use pocketbench_app_core::api::RoutePart;
use pocketbench_app_core::domain::sweep::Sweep;
use std::path::PathBuf;

/// Measure, compare and choose language models on the machine they will run on.
#[derive(Debug, Parser)]
#[command(name = "pocketbench", version, propagate_version = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Measure two models in alternation and say which is better, and how sure.
    Compare(Compare),
    /// Measure one model: a suite, or random tokens as llama-bench does.
    Bench(Bench),
    /// Let one model, or two in turn, write for minutes on end: the rate at first, and what is left when the device is hot.
    Sustain(Sustain),
    /// Find the settings that this device runs best with, or show them. A first run does the threads by itself.
    Tune(Tune),
    /// List the runs that are stored, show one, or go on with one that was interrupted.
    Runs(Runs),
    /// Find, judge, fetch, take in, verify and delete models.
    #[command(subcommand)]
    Models(Models),
    /// Set up, check and remove providers of models that answer elsewhere.
    #[command(subcommand)]
    Providers(Providers),
    /// Show this machine as it is stored with every run.
    Device(Device),
    /// Show figures that others have published, and whether they can be true. None of them was measured here.
    Claims {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Talk to a model: on a terminal turn by turn, in a pipe one question and its answer. Everything stays on this device
    /// unless you say otherwise.
    Chat(Chat),
    /// List, show, export and delete conversations.
    #[command(subcommand)]
    Chats(Chats),
    /// Judge routing policies, and explain where a prompt would go. Nothing is sent anywhere.
    #[command(subcommand)]
    Route(RouteCommand),
    /// Serve the worker protocol on standard input and output. Pocketbench starts it by itself.
    #[command(hide = true)]
    Worker {
        /// Hold memory instead, so that little is left to a worker.
        #[arg(long)]
        balloon: bool,
    },
    /// Print a completion script for a shell.
    Completions {
        /// The shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page.
    #[command(hide = true)]
    Man,
}

/// A model is named by its path, its file's name or the beginning of its hash if it is here; by its id in the catalogue,
/// with :QUANTIZATION if not the recommended file is meant; or by its repository, such as owner/name.
#[derive(Debug, Subcommand)]
pub(crate) enum Models {
    /// List the models that are here.
    List {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Search the models that can be fetched.
    Search {
        /// Words in its name, family, publisher or repository.
        text: Vec<String>,
        /// Only what fits this device.
        #[arg(long)]
        fits: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show what is known of a model.
    Info {
        /// The model.
        model: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Say whether a model fits this device, before fetching it, from its header alone.
    Fit {
        /// The model.
        model: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a model. Stopped or killed, the same command goes on where it was.
    Pull {
        /// The model.
        model: String,
        /// Accept its licence.
        #[arg(long)]
        accept_license: bool,
        /// Print the job as JSON when it is done.
        #[arg(long)]
        json: bool,
    },
    /// Take in a file that is on this machine; it is used where it lies.
    Import {
        /// The GGUF file; of a split model its first part.
        path: PathBuf,
        /// Copy it into the models folder.
        #[arg(long)]
        copy: bool,
    },
    /// Hash a model again and say whether it is still what it was. Without a name: every model.
    Verify {
        /// The model.
        model: Option<String>,
    },
    /// Delete a model, after saying what is lost. One that lies elsewhere is only forgotten.
    Rm {
        /// The model.
        model: String,
        /// Do not ask.
        #[arg(long)]
        yes: bool,
    },
    /// Add a repository to the catalogue, by its name, its page's address or a file's address.
    Add {
        /// Such as owner/name.
        repository: String,
    },
    /// Take a repository that was added out of the catalogue. Its files stay.
    Forget {
        /// Its id.
        id: String,
    },
    /// List models of other tools on this machine; `import` uses them where they lie.
    Found {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Fetch a newer catalogue from the address in the settings.
    Update,
    /// Keep the hub's token, read from standard input, in the system's key store; on a terminal, say where it is kept.
    Token {
        /// Forget it.
        #[arg(long)]
        clear: bool,
    },
    /// Show or change how downloads are done.
    Settings(ModelSettings),
}

#[derive(Debug, Subcommand)]
pub(crate) enum Providers {
    /// List the providers that are set up, or those that are known.
    List {
        /// Those that can be set up.
        #[arg(long)]
        known: bool,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set a provider up, or change it.
    Add {
        /// One of `providers list --known`, such as openai or ollama; custom for any other address.
        preset: String,
        /// The one to change; without it a new one is set up.
        #[arg(long, value_name = "ID")]
        id: Option<String>,
        /// What it is called.
        #[arg(long, value_name = "NAME")]
        title: Option<String>,
        /// What /chat/completions is appended to, such as <https://example.com/v1>.
        #[arg(long, value_name = "URL")]
        base_url: Option<String>,
        /// Model that is used unless another is named.
        #[arg(long, value_name = "NAME")]
        model: Option<String>,
    },
    /// Ask a provider for its models, and say what is wrong if it does not answer.
    Verify {
        /// Its id.
        id: String,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Forget a provider and its key.
    Remove {
        /// Its id.
        id: String,
    },
    /// Keep a provider's key, read from standard input, in the system's key store; on a terminal, say where it is kept.
    Key {
        /// The provider's id.
        id: String,
        /// Forget it.
        #[arg(long)]
        clear: bool,
    },
    /// List the prices that are known, each with its date and source.
    Prices {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Set your own price of a model, or forget it.
    Price(OwnPrice),
}

#[derive(Debug, Args)]
pub(crate) struct OwnPrice {
    /// Id of the provider, or of its preset.
    pub(crate) provider: String,
    /// The model's name there.
    pub(crate) model: String,
    /// A million tokens of prompt.
    #[arg(long, value_name = "AMOUNT", required_unless_present = "forget")]
    pub(crate) input: Option<f64>,
    /// A million tokens of answer.
    #[arg(long, value_name = "AMOUNT", required_unless_present = "forget")]
    pub(crate) output: Option<f64>,
    /// A million tokens of prompt from the provider's cache.
    #[arg(long, value_name = "AMOUNT")]
    pub(crate) cached: Option<f64>,
    /// Three capital letters.
    #[arg(long, default_value = "USD")]
    pub(crate) currency: String,
    /// Let the price that ships count again.
    #[arg(long, conflicts_with_all = ["input", "output", "cached"])]
    pub(crate) forget: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ModelSettings {
    /// Only over Wi-Fi or a cable.
    #[arg(long, value_name = "true|false")]
    pub(crate) wifi_only: Option<bool>,
    /// Downloads at once.
    #[arg(long, value_name = "N")]
    pub(crate) at_once: Option<u32>,
    /// Connections a download.
    #[arg(long, value_name = "N")]
    pub(crate) connections: Option<u32>,
    /// Address of a mirror of the hub, tried first; empty for none.
    #[arg(long, value_name = "URL")]
    pub(crate) mirror: Option<String>,
    /// Proxy; empty for the system's.
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Address of a newer catalogue; empty for none.
    #[arg(long, value_name = "URL")]
    pub(crate) catalogue_url: Option<String>,
    /// Public key of who signs it (64 hex digits), or `sha256:` and the hash of the one that is meant.
    #[arg(long, value_name = "KEY")]
    pub(crate) catalogue_trust: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// Everything, samples included.
    Json,
    /// One line a value.
    Csv,
    /// A report to read.
    Md,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// What is printed on standard output.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: Format,
    /// The same as `--format json`.
    #[arg(long, conflicts_with = "format")]
    pub(crate) json: bool,
    /// Also write report.md, run.json and values.csv into this folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Longest that a cold start may take, in seconds [default: 3].
    #[arg(long, value_name = "SECONDS", value_parser = positive)]
    pub(crate) cold_start_limit: Option<f64>,
}

fn positive(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "not a number".to_owned())?;
    if number.is_finite() && number > 0.0 { Ok(number) } else { Err("not above 0".to_owned()) }
}

impl Output {
    pub(crate) fn format(&self) -> Format {
        if self.json { Format::Json } else { self.format }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Settings {
    /// Threads for prefill and decode. Default: what this device was tuned to.
    #[arg(long, short = 't', value_name = "N")]
    pub(crate) threads: Option<u32>,
    /// Context length in tokens. Default: what the suite needs.
    #[arg(long, short = 'c', value_name = "N")]
    pub(crate) context: Option<u32>,
    /// Layers on a GPU, 0 for none. Default: none.
    #[arg(long, visible_alias = "ngl", value_name = "N")]
    pub(crate) gpu_layers: Option<u32>,
    /// Repetitions that count. Default: what the suite says.
    #[arg(long, short = 'r', value_name = "N")]
    pub(crate) repetitions: Option<u32>,
    /// Do not tune this device first, even if it never was. `POCKETBENCH_NO_TUNE=1` says so for every run.
    #[arg(long)]
    pub(crate) no_tune: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The first model, a GGUF file.
    pub(crate) a: PathBuf,
    /// The second model, a GGUF file.
    pub(crate) b: PathBuf,
    /// A suite that ships, or the path of a suite file.
    #[arg(long, default_value = "quick")]
    pub(crate) suite: String,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// The model, a GGUF file.
    pub(crate) model: PathBuf,
    /// A suite that ships, or the path of a suite file; without it random tokens are measured.
    #[arg(long, conflicts_with_all = ["prompt", "generate", "depth"])]
    pub(crate) suite: Option<String>,
    /// Measure the model under several settings: an axis with its values by comma, such as threads=1,2,4, or an axis alone
    /// for the values that make sense. Axes: threads, context, kv-type, micro-batch, flash-attention, gpu-layers, repack,
    /// mmap, free-memory. Without a suite and -p, -n or -d the suite that ships for the axis is measured.
    #[arg(long, value_name = "AXIS[=VALUES]")]
    pub(crate) sweep: Option<Sweep>,
    /// Tokens to prefill, several values by comma; 0 for none [default: 512].
    #[arg(long, short = 'p', value_delimiter = ',', value_name = "N")]
    pub(crate) prompt: Vec<u32>,
    /// Tokens to decode, several values by comma; 0 for none [default: 128].
    #[arg(long, short = 'n', value_delimiter = ',', value_name = "N")]
    pub(crate) generate: Vec<u32>,
    /// Tokens in the KV cache before the clock starts, several values by comma [default: 0].
    #[arg(long, short = 'd', value_delimiter = ',', value_name = "N")]
    pub(crate) depth: Vec<u32>,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Sustain {
    /// The model, a GGUF file.
    pub(crate) a: PathBuf,
    /// Another one to compare it with, after a cool-down.
    pub(crate) b: Option<PathBuf>,
    /// Minutes for each model.
    #[arg(long, short = 'm', value_name = "N", default_value = "10", value_parser = clap::value_parser!(u32).range(1..=60))]
    pub(crate) minutes: u32,
    #[command(flatten)]
    pub(crate) settings: Settings,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Tune {
    /// The model to tune with, a GGUF file. Without it, shows how this device is tuned.
    pub(crate) model: Option<PathBuf>,
    /// Only the threads, and as short as will do.
    #[arg(long, requires = "model")]
    pub(crate) quick: bool,
    /// Forget what is stored; with a model, tune anew after that.
    #[arg(long)]
    pub(crate) forget: bool,
    /// Whether a device that is not tuned is, before its first run.
    #[arg(long, value_name = "true|false", conflicts_with_all = ["model", "forget"])]
    pub(crate) automatic: Option<bool>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Runs {
    /// Show this run; its first characters are enough.
    pub(crate) id: Option<String>,
    /// Go on with the run at its first unmeasured cell.
    #[arg(long, requires = "id")]
    pub(crate) resume: bool,
    #[command(flatten)]
    pub(crate) output: Output,
}

#[derive(Debug, Args)]
pub(crate) struct Device {
    /// Measure anew how fast memory is read, which takes a second, and keep that: limits and forecasts rest on it.
    #[arg(long)]
    pub(crate) bandwidth: bool,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Chat {
    /// The model, by path, file name or the beginning of its hash. Default: the one of the latest conversation.
    pub(crate) model: Option<String>,
    /// Standing instructions.
    #[arg(long, value_name = "TEXT")]
    pub(crate) system: Option<String>,
    /// How freely tokens are picked; 0 for always the likeliest [default: 0.7].
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub(crate) temperature: Option<f32>,
    /// Most tokens of an answer [default: 1024].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) max_tokens: Option<u32>,
    /// Context length in tokens. Default: what memory suggests.
    #[arg(long, short = 'c', value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) context: Option<u32>,
    #[command(flatten)]
    pub(crate) route: ChatRoute,
    /// Go on with this conversation; its first characters are enough.
    #[arg(long, value_name = "ID")]
    pub(crate) conversation: Option<String>,
    /// Say this, print the answer and end. Without it, in a pipe, standard input is what is said.
    #[arg(long, short = 'm', value_name = "TEXT")]
    pub(crate) message: Option<String>,
    /// Print the whole answer as JSON, with its figures, its route and its cost.
    #[arg(long)]
    pub(crate) json: bool,
}

/// Who answers, in place of the policy that is set.
#[derive(Debug, Args)]
#[group(multiple = false)]
#[allow(clippy::struct_excessive_bools, reason = "flags, of which one at most is given")]
pub(crate) struct ChatRoute {
    /// The model on this device.
    #[arg(long)]
    pub(crate) local: bool,
    /// The provider that is set up. This is your consent for everything said now.
    #[arg(long)]
    pub(crate) cloud: bool,
    /// The router, without asking.
    #[arg(long)]
    pub(crate) auto: bool,
    /// The router, asking before anything leaves this device.
    #[arg(long)]
    pub(crate) ask: bool,
}

fn temperature(text: &str) -> Result<f32, String> {
    let number: f32 = text.parse().map_err(|_| "not a number".to_owned())?;
    if (0.0..=10.0).contains(&number) { Ok(number) } else { Err("not between 0 and 10".to_owned()) }
}

/// A conversation is named by the first characters of its id.
#[derive(Debug, Subcommand)]
pub(crate) enum Chats {
    /// List conversations, or those that have these words.
    List {
        /// Words in them.
        text: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print what was said.
    Show {
        /// The conversation.
        id: String,
    },
    /// Print a conversation with all its branches as JSON, which `import` takes in.
    Export {
        /// The conversation.
        id: String,
    },
    /// Take in an exported conversation.
    Import {
        /// The JSON file.
        path: PathBuf,
    },
    /// Delete a conversation. For a day it can be brought back.
    Rm {
        /// The conversation.
        id: String,
    },
    /// Bring a deleted conversation back, by its whole id.
    Restore {
        /// The conversation.
        id: String,
    },
    /// Show what the cloud has cost this month.
    Spending {
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum RouteCommand {
    /// Hold a policy against labelled prompts: how often it agrees, and what it would cost, over all thresholds.
    Eval(Eval),
    /// Show the score of a prompt, what it is made of, and where the prompt would go.
    Explain(Explain),
}

#[derive(Debug, Args)]
pub(crate) struct PolicyArgs {
    /// A policy in JSON. Default: the built-in weights and rules.
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Score from which a prompt goes to the cloud, in place of the policy's.
    #[arg(long, value_name = "0–1")]
    pub(crate) threshold: Option<f64>,
    /// Tokens that the local model's context holds [default: 4096].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) window: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct Eval {
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Labelled prompts of your own, one JSON object a line. Default: those that ship.
    #[arg(long, value_name = "FILE")]
    pub(crate) prompts: Option<PathBuf>,
    /// Which part of them.
    #[arg(long, value_enum, default_value = "held-out")]
    pub(crate) part: Part,
    /// Price of a million tokens of prompts and of answers, such as 2,8.
    #[arg(long, value_name = "IN,OUT", value_parser = amounts)]
    pub(crate) price: Option<(f64, f64)>,
    /// Currency of the price.
    #[arg(long, value_name = "CODE", default_value = "USD")]
    pub(crate) currency: String,
    /// Speed of the cloud model: milliseconds to the first token and tokens a second, such as 600,80.
    #[arg(long, value_name = "MS,TPS", value_parser = speed)]
    pub(crate) cloud_speed: Option<(f64, f64)>,
    /// Print JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Explain {
    /// The prompt; - for standard input.
    pub(crate) prompt: String,
    #[command(flatten)]
    pub(crate) policy: PolicyArgs,
    /// Print the decision as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Those that no weight was tuned on.
    HeldOut,
    /// Those that weights are tuned on.
    Development,
    /// Both.
    All,
}

impl From<Part> for RoutePart {
    fn from(part: Part) -> Self {
        match part {
            Part::HeldOut => Self::HeldOut,
            Part::Development => Self::Development,
            Part::All => Self::All,
        }
    }
}

/// Two amounts by comma, neither below 0.
fn amounts(text: &str) -> Result<(f64, f64), String> {
    let amount = |text: &str| text.trim().parse::<f64>().ok().filter(|value| value.is_finite() && *value >= 0.0);
    let (a, b) = text.split_once(',').ok_or("two numbers with a comma between are needed")?;
    amount(a).zip(amount(b)).ok_or_else(|| "two numbers from 0 on are needed".to_owned())
}

fn speed(text: &str) -> Result<(f64, f64), String> {
    amounts(text).and_then(|pair| if pair.1 > 0.0 { Ok(pair) } else { Err("a speed is above 0".to_owned()) })
}
