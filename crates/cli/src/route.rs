//! `pocketbench route …`: what the router thinks of a prompt, and how good a policy is.

use crate::args::{Eval, Explain, PolicyArgs, RouteCommand};
use crate::commands::config;
use crate::output;
use pocketbench_app_core::api::{RouteEvaluation, RoutePart};
use pocketbench_app_core::domain::route::evaluate::{
    Baseline, CurvePoint, Expected, Label, LocalWindow, Outcome, Price, Rates, Speed,
};
use pocketbench_app_core::domain::route::{Consent, Decision, Mode, Policy, Route};
use pocketbench_app_core::domain::{ErrorCode, ErrorReport};
use pocketbench_app_core::{App, Result, RouteQuestion, evaluate_route, explain_route, read_policy};
use std::fmt::Write as _;
use std::io::Read as _;

pub(crate) async fn run(command: RouteCommand) -> Result<u8> {
    match command {
        RouteCommand::Eval(args) => eval(args).await,
        RouteCommand::Explain(args) => explain(&args),
    }
}

fn policy(args: &PolicyArgs, default: Policy) -> Result<Policy> {
    let mut policy = args.policy.as_deref().map_or(Ok(default), read_policy)?;
    policy.threshold = args.threshold.unwrap_or(policy.threshold);
    Ok(policy)
}

fn window(args: &PolicyArgs) -> LocalWindow {
    let default = LocalWindow::default();
    LocalWindow { tokens: args.window.unwrap_or(default.tokens), ..default }
}

async fn eval(args: Eval) -> Result<u8> {
    let price = args.price.map(|(input_per_million, output_per_million)| Price {
        input_per_million,
        output_per_million,
        currency: args.currency,
    });
    let cloud = args.cloud_speed.map(|(ttft_ms, decode_tps)| Speed { prefill_tps: None, ttft_ms, decode_tps });
    let (measured, known) = match App::open_read_only(config()?).await {
        Ok(app) => (app.local_speed().await?, app.cloud_price().await?),
        // Nothing was measured or set up yet.
        Err(error) if error.code == ErrorCode::NotFound => (None, None),
        Err(error) => return Err(error),
    };
    let price_source = known.filter(|_| price.is_none());
    let price = price.or_else(|| {
        price_source.as_ref().map(|known| Price {
            input_per_million: known.input,
            output_per_million: known.output,
            currency: known.currency.clone(),
        })
    });
    let (local, local_source) = measured.unzip();
    let report = evaluate_route(RouteQuestion {
        policy: policy(&args.policy, Policy::default())?,
        prompts: args.prompts,
        part: args.part.into(),
        window: window(&args.policy),
        rates: Rates { local, cloud, price },
        local_source,
        price_source,
    })?;
    if args.json {
        output::json(&report);
    } else {
        show_evaluation(&report);
    }
    Ok(0)
}

fn explain(args: &Explain) -> Result<u8> {
    let prompt = if args.prompt == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().read_to_end(&mut bytes).map_err(|error| {
            ErrorReport::new(ErrorCode::InvalidInput, format!("the prompt cannot be read: {error}"))
        })?;
        String::from_utf8_lossy(&bytes).into_owned()
    } else {
        args.prompt.clone()
    };
    // Without a policy the question is what the score says.
    let policy = policy(&args.policy, Policy { mode: Mode::Auto, ..Policy::default() })?;
    let decision = explain_route(&policy, &prompt, window(&args.policy))?;
    if args.json {
        output::json(&decision);
    } else {
        show_decision(&decision);
    }
    Ok(0)
}

fn show_decision(decision: &Decision) {
    let route = match (decision.route, decision.consent) {
        (Route::Local, _) => "On this device",
        (Route::Cloud, Consent::Ask) => "To the cloud, if you agree",
        (Route::Cloud, _) => "To the cloud",
        (Route::Nowhere, _) => "Nowhere",
    };
    let mut list = output::table();
    list.set_header(output::head(&["Signal", "Value", "Weight", "Points", "Because of"]));
    for signal in &decision.signals {
        list.add_row([
            output::plain(signal.signal.label()),
            output::right(format!("{:.2}", signal.value)),
            output::right(format!("{:.2}", signal.weight)),
            output::right(format!("{:.2}", signal.points())),
            output::plain(&signal.reason()),
        ]);
    }
    let reasons: Vec<String> = decision.reasons.iter().map(|reason| format!("  {}", reason.sentence())).collect();
    output::text(&format!(
        "{route}: {}, score {:.2} of 1\n{}\n\n{list}\n",
        decision.task.label(),
        decision.score,
        reasons.join("\n")
    ));
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

fn interval(outcome: &Outcome) -> String {
    outcome.interval.map_or_else(|| "–".to_owned(), |i| format!("{:.1} to {:.1} %", i.low * 100.0, i.high * 100.0))
}

fn show_evaluation(report: &RouteEvaluation) {
    let evaluation = &report.evaluation;
    let here = &evaluation.at_threshold;
    let part = match report.part {
        RoutePart::HeldOut => "the held-out part of ",
        RoutePart::Development => "the development part of ",
        RoutePart::All => "",
    };
    let set = report.set.as_deref().unwrap_or("the prompts that ship");
    let counts = here.outcome.confusion;
    let mut confusion = output::table();
    let title = format!("At {:.2}", here.threshold);
    confusion.set_header(output::head(&[&title, "Goes to the cloud", "Stays here"]));
    for (name, cloud, local) in [
        ("belongs in the cloud", counts.cloud_to_cloud, counts.cloud_to_local),
        ("belongs here", counts.local_to_cloud, counts.local_to_local),
    ] {
        confusion.add_row([output::plain(name), output::right(cloud.to_string()), output::right(local.to_string())]);
    }
    output::text(&format!(
        "{} of {} prompts ({part}{}) go where they belong: {} (95 % interval {})\n\n{confusion}\n\n{}\n\n{}\n{}",
        counts.agreeing(),
        report.prompts,
        output::printable(set),
        percent(here.outcome.agreement),
        interval(&here.outcome),
        ways(report),
        groups_and_misses(report),
        sources(report),
    ));
}

/// Every threshold and every baseline: quality, share, cost and time.
fn ways(report: &RouteEvaluation) -> String {
    let evaluation = &report.evaluation;
    let here = &evaluation.at_threshold;
    let cost = report.rates.price.as_ref().map_or_else(|| "Cost".to_owned(), |p| format!("{} per 1,000", p.currency));
    let mut table = output::table();
    table.set_header(output::head(&[
        "To the cloud",
        "Share",
        "Agreement",
        "95 % interval",
        "Hard, kept here",
        "Easy, sent away",
        &cost,
        "Mean time",
    ]));
    let mut add = |name: String, outcome: &Outcome, expected: &Expected| {
        let dash = || "–".to_owned();
        table.add_row([
            output::plain(&name),
            output::right(percent(outcome.cloud_share)),
            output::right(percent(outcome.agreement)),
            output::right(interval(outcome)),
            output::right(outcome.confusion.cloud_to_local.to_string()),
            output::right(outcome.confusion.local_to_cloud.to_string()),
            output::right(expected.cost_per_thousand.map_or_else(dash, |cost| format!("{cost:.2}"))),
            output::right(expected.mean_seconds.map_or_else(dash, |seconds| format!("{seconds:.1} s"))),
        ]);
    };
    let is_here = |point: &CurvePoint| (point.threshold - here.threshold).abs() < 1e-9;
    let mut points: Vec<&CurvePoint> = evaluation.curve.iter().filter(|point| !is_here(point)).collect();
    points.push(here);
    points.sort_by(|a, b| a.threshold.total_cmp(&b.threshold));
    for point in points {
        let mark = if is_here(point) { " ◀" } else { "" };
        add(format!("score ≥ {:.2}{mark}", point.threshold), &point.outcome, &point.expected);
    }
    for beside in &evaluation.baselines {
        let name = match beside.baseline {
            Baseline::AlwaysLocal => "nothing".to_owned(),
            Baseline::AlwaysCloud => "everything".to_owned(),
            Baseline::LengthOnly { tokens } => format!("length ≥ {tokens} tokens"),
            Baseline::PublishedRule { threshold } => format!("published rule > {threshold:.1}"),
        };
        add(name, &beside.outcome, &beside.expected);
    }
    table.to_string()
}

fn groups_and_misses(report: &RouteEvaluation) -> String {
    let evaluation = &report.evaluation;
    let mut out = String::new();
    for (title, groups) in [("By kind", &evaluation.by_kind), ("By language", &evaluation.by_language)] {
        let groups: Vec<String> = groups
            .iter()
            .map(|group| {
                let counts = group.outcome.confusion;
                format!("{} {}/{}", output::printable(&group.name), counts.agreeing(), counts.prompts())
            })
            .collect();
        let _ = writeln!(out, "{title}: {}", groups.join(", "));
    }
    let _ = writeln!(out, "Kind of task recognised: {} of {}", evaluation.kinds_recognised, report.prompts);
    for miss in &evaluation.misses {
        let place = if miss.label == Label::Cloud { "in the cloud" } else { "here" };
        let (id, task) = (output::printable(&miss.id), miss.task.label());
        let _ = writeln!(out, "Missed: {id} belongs {place}, score {:.2}, taken for {task}", miss.score);
    }
    out
}

/// Where cost and time come from, or why there are none.
fn sources(report: &RouteEvaluation) -> String {
    let rates = &report.rates;
    let cost = rates.price.as_ref().map_or_else(
        || "Cost: –, since no price is given (--price) and the price of no provider that is set up is known.".to_owned(),
        |price| {
            let source = report.price_source.as_ref().map_or_else(String::new, |known| {
                format!(
                    " That is {} at {} by {}, {}.",
                    output::printable(&known.model),
                    output::printable(&known.provider),
                    output::printable(&known.source),
                    known.as_of
                )
            });
            format!(
                "Cost: at {} {} for a million tokens of prompts and {} of answers, whose length is assumed by kind of task.{source}",
                price.currency, price.input_per_million, price.output_per_million
            )
        },
    );
    let here = match (&rates.local, &report.local_source) {
        (Some(speed), Some(source)) => format!(
            "Time here: {} as measured, {:.0} tok/s prefill and {:.1} tok/s decode (run {}).",
            output::printable(&source.model),
            speed.prefill_tps.unwrap_or(0.0),
            speed.decode_tps,
            crate::commands::short(source.run)
        ),
        _ => "Time here: –, since no answer was measured on this device yet (pocketbench bench --suite quick)."
            .to_owned(),
    };
    let there = rates.cloud.as_ref().map_or_else(
        || "Time in the cloud: –, since no speed is given (--cloud-speed).".to_owned(),
        |speed| {
            format!(
                "Time in the cloud: as given, first token after {:.0} ms and {:.0} tok/s.",
                speed.ttft_ms, speed.decode_tps
            )
        },
    );
    format!("{cost}\n{here}\n{there}\n")
}
