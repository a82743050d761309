"""The command line: ``opportune COMMAND``; each command is a job in ``service/jobs/``.

Arguments enter; an exit code leaves: 0 done, 1 the machine could not (disk, rights, memory), 2
bad input (with what was expected, what came and what to do), 130 interrupted. Heavy libraries
load only in the job that needs them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

from bandit.errors import BadInputError, OpportuneError
from policies.default import DEFAULT

__all__ = ["main"]

_USERS = 10_000
_MEMORY = (
    "expected about 3 GB of memory for a run, and its processes to be left alone (call again: "
    "finished steps are kept)"
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    parser = _parser()
    chosen = parser.parse_args(arguments)
    if chosen.command is None:
        parser.print_help()
        return 0
    try:
        return int(chosen.call(chosen))
    except OpportuneError as error:
        return _said(2, str(error))
    except OSError as error:
        return _said(1, f"{error}; mend that and call again: finished steps are kept")
    except (MemoryError, BrokenProcessPool) as error:
        return _said(1, f"{_MEMORY}, got {type(error).__name__}: {error}")
    except KeyboardInterrupt:
        return _said(130, "interrupted; call again to go on where it stopped")


def _said(code: int, words: str) -> int:
    print(f"opportune: {words}", file=sys.stderr)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="opportune", description="The right item at the right moment, or silence."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    _add_run(commands)
    _add_check(commands)
    _add_report(commands)
    _add_simulate(commands)
    _add_experiment(commands)
    _add_power(commands)
    _add_calibrate(commands)
    _add_policies(commands)
    _add_check_policy(commands)
    return parser


def _add_run(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    run = commands.add_parser(
        "run",
        help="learn from a year of shopping whom to push which item and when; write a report",
        description="The main job, end to end: clean, encode, walk online, campaigns, evaluate "
        "against truth, report. A run that was cut off goes on where it stopped.",
    )
    run.add_argument(
        "--data",
        type=Path,
        metavar="FILE",
        help="your own events (CSV, Parquet, JSON lines) with user, item or category, time, "
        "action; without it, the Complete Journey data of its package",
    )
    _add_file_options(run)
    run.add_argument("--out", type=Path, default=Path("runs"), help="folder of runs (runs)")
    run.add_argument("--seed", type=int, default=1, help="first seed (1)")
    run.add_argument(
        "--full", action="store_true", help="all five seeds on every user: the committed table"
    )
    run.set_defaults(call=_run)


def _add_check(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    check = commands.add_parser(
        "check",
        help="read and clean a file of events; print what would be kept, dropped and why",
    )
    check.add_argument("data", type=Path, metavar="FILE")
    _add_file_options(check)
    check.set_defaults(call=_check)


def _add_report(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    report = commands.add_parser("report", help="write the page of a finished run again")
    report.add_argument("folder", type=Path, metavar="RUN")
    report.set_defaults(call=_report)


def _add_simulate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    simulate = commands.add_parser(
        "simulate",
        help="run policies in a simulated world whose truth is known; write a table and a page",
        description="Policies, silence and the best static push in the same simulated lives, seed "
        "by seed. A run that was cut off goes on where it stopped.",
    )
    whole: Any = {"type": int, "metavar": "N"}
    simulate.add_argument(
        "--preset", default="ecommerce", help="name of a world, or a TOML file (ecommerce)"
    )
    simulate.add_argument(
        "--policy",
        action="append",
        metavar="ID",
        help=f"policy to run, may be repeated ({DEFAULT}); silence and static pushes run beside it",
    )
    simulate.add_argument("--users", help="how many people (10000)", **whole)
    simulate.add_argument("--days", default=60, help="for how long (60)", **whole)
    simulate.add_argument("--seeds", default=20, help="how many times (20)", **whole)
    simulate.add_argument("--seed", default=1, help="first seed (1)", **whole)
    simulate.add_argument(
        "--hours", default=24, help="hours between decisions: 24 or 1 (24)", **whole
    )
    simulate.add_argument("--out", type=Path, default=Path("runs"), help="folder of runs (runs)")
    simulate.add_argument("--workers", help="processes (one a processor)", **whole)
    instead = simulate.add_mutually_exclusive_group()
    instead.add_argument(
        "--trap",
        action="store_true",
        help="print one log under two schemes, in a world where clicks bring nobody; takes "
        "--users, --days and --seed",
    )
    instead.add_argument(
        "--check-realism",
        action="store_true",
        help="print eight figures of the world beside published bands; takes --preset, --seed and "
        "--users (4000)",
    )
    simulate.set_defaults(call=_simulate, defaults=vars(simulate.parse_args([])))


def _add_experiment(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    experiment = commands.add_parser(
        "experiment",
        help="run a study of policies, worlds and seeds from a TOML file; write one table",
        description="Every policy in every world with every seed, paired, with p-values that hold "
        "for the whole table. A study that was cut off goes on where it stopped.",
    )
    experiment.add_argument("study", type=Path, metavar="STUDY.toml")
    experiment.add_argument("--out", type=Path, default=Path("runs"), help="folder of runs (runs)")
    experiment.add_argument("--workers", type=int, metavar="N", help="processes (one a processor)")
    experiment.set_defaults(call=_experiment)


def _add_power(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    power = commands.add_parser(
        "power",
        help="how many users and weeks a holdout needs to see an effect",
        description="Two-sided normal power of a randomised holdout, on the means of user-weeks.",
    )
    number: Any = {"type": float, "metavar": "X"}
    whole: Any = {"type": int, "metavar": "N"}
    power.add_argument("--holdout", required=True, help="percent of users held out", **number)
    power.add_argument("--effect", required=True, help="relative effect, in percent", **number)
    power.add_argument("--rate", help="share of user-weeks that count, such as 0.03", **number)
    power.add_argument("--mean", help="or the mean of a user-week, with --sd", **number)
    power.add_argument("--sd", help="standard deviation of a user-week", **number)
    power.add_argument("--icc", default=0.2, help="correlation of a user's weeks (0.2)", **number)
    power.add_argument("--weeks", nargs="+", help="lengths to tell about (1 ... 26)", **whole)
    power.add_argument("--power", default=80.0, help="percent of trials that see it (80)", **number)
    power.add_argument("--level", default=5.0, help="level of the test, percent (5)", **number)
    power.add_argument("--users", help="users there are: what they can see", **whole)
    power.set_defaults(call=_power)


def _add_calibrate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    fit = commands.add_parser(
        "calibrate",
        help="fit a simulated population to a log; print simulated against observed",
        description="Fit the simulator's constants to a decision log and its outcomes by their "
        "moments, print every constant with its interval and every moment, simulated against "
        "observed, write them to a page with drawings, and the world to a file that --preset "
        "takes.",
    )
    fit.add_argument("log", type=Path, metavar="LOG", help="folder of decisions and outcomes")
    fit.add_argument(
        "--preset", default="ecommerce", help="where the fit starts: a preset or a .toml file"
    )
    fit.add_argument("--out", type=Path, metavar="FILE.toml", help="write the fitted world here")
    fit.add_argument(
        "--page",
        type=Path,
        metavar="FILE.html",
        help="write the page here (beside --out, else calibration.html)",
    )
    fit.add_argument("--seed", type=int, default=1, help="of the simulated lives (1)")
    fit.add_argument(
        "--warmup-days",
        type=int,
        default=7,
        help="days at the start that count only as what came before (7)",
    )
    fit.set_defaults(call=_calibrate)


def _add_policies(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    listed = commands.add_parser(
        "policies",
        help="list every policy: reference, options, cost, what it needs and cannot",
        description="Ours, and those that installed distributions bring under the entry point "
        "group opportune.policies. Options are printed as TOML.",
    )
    listed.add_argument("policy", nargs="*", metavar="ID", help="only these; or module:Class")
    listed.set_defaults(call=_policies)


def _add_check_policy(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    checked = commands.add_parser(
        "check-policy",
        help="run the laws of a policy on one of your own, module:Class",
        description="Every law that our policies keep, one line each. Exit code 1 where one is "
        "broken. A law that the policy declares it cannot meet must really fail.",
    )
    checked.add_argument("policy", metavar="MODULE:CLASS", help="or the id of a policy")
    checked.add_argument(
        "--options", type=Path, metavar="FILE.toml", help="what differs from its defaults"
    )
    checked.set_defaults(call=_check_policy)


def _add_file_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--zone",
        help="IANA time zone of the users and of timestamps that carry none, e.g. Europe/Berlin "
        "(without it the one most users of your file are in, else UTC)",
    )
    parser.add_argument(
        "--column",
        action="append",
        default=[],
        metavar="YOURS=OURS",
        help="name a column of yours, e.g. --column event_time=time; may be repeated",
    )


def _run(chosen: argparse.Namespace) -> int:
    from service.jobs.run import RunSettings, run

    settings = RunSettings(
        data=chosen.data,
        zone=chosen.zone,
        columns=tuple(chosen.column),
        seed=chosen.seed,
        full=chosen.full,
    )
    run(settings, root=chosen.out)
    return 0


def _check(chosen: argparse.Namespace) -> int:
    from service.jobs.check import check

    for line in check(chosen.data, zone=chosen.zone, columns=tuple(chosen.column)):
        print(line)
    return 0


def _calibrate(chosen: argparse.Namespace) -> int:
    from service.jobs.calibrate import CalibrateSettings, calibrate_log

    settings = CalibrateSettings(
        log=chosen.log,
        preset=chosen.preset,
        out=chosen.out,
        page=chosen.page,
        seed=chosen.seed,
        warmup_days=chosen.warmup_days,
    )
    for line in calibrate_log(settings):
        print(line)
    return 0


def _report(chosen: argparse.Namespace) -> int:
    from service.reports.page import write_report
    from service.reports.simulation_page import is_simulation, write_simulation_report

    write = write_simulation_report if is_simulation(chosen.folder) else write_report
    print(write(chosen.folder))
    return 0


def _simulate(chosen: argparse.Namespace) -> int:
    if chosen.check_realism:
        return _check_realism(chosen)
    if chosen.trap:
        return _trap(chosen)
    from service.jobs.comparison import Comparison
    from service.jobs.entrants import entrants
    from service.jobs.simulate import simulate
    from service.jobs.simulated_walk import SCHEME

    asked = Comparison(
        preset=chosen.preset,
        entrants=entrants(chosen.policy or [DEFAULT], scheme=SCHEME),
        users=_USERS if chosen.users is None else chosen.users,
        days=chosen.days,
        seeds=chosen.seeds,
        seed=chosen.seed,
        hours=chosen.hours,
    )
    simulate(asked, root=chosen.out, n_workers=chosen.workers)
    return 0


def _takes(chosen: argparse.Namespace, option: str, *taken: str) -> None:
    """Refuse what would be left unheard beside an option that does another thing."""
    given = [name for name, value in chosen.defaults.items() if getattr(chosen, name) != value]
    unheard = sorted({*given} - {*taken, option})
    if unheard:
        told, wanted = (", ".join("--" + n for n in names) for names in (unheard, taken))
        raise BadInputError(
            f"expected beside --{option.replace('_', '-')} only {wanted}, got {told}: leave it out"
        )


def _check_realism(chosen: argparse.Namespace) -> int:
    _takes(chosen, "check_realism", "preset", "seed", "users")
    from simulator.config import PRESETS, load
    from simulator.realism import check_realism

    preset = chosen.preset if chosen.preset in PRESETS else Path(chosen.preset)
    config = load(preset)
    print("measuring: about two minutes for 4,000 users", file=sys.stderr)
    table = check_realism(
        config, seed=chosen.seed, n_users=4000 if chosen.users is None else chosen.users
    )
    for line in table.lines():
        print(line)
    return 0 if table.passes and table.weights_hold else 1


def _trap(chosen: argparse.Namespace) -> int:
    _takes(chosen, "trap", "users", "days", "seed")
    from service.jobs.progress import Progress
    from service.jobs.two_schemes import scheme_lines, two_schemes
    from simulator.config import load

    with Progress(chosen.days, "days") as progress:
        table = two_schemes(
            load("trap"),
            n_users=_USERS if chosen.users is None else chosen.users,
            n_days=chosen.days,
            seed=chosen.seed,
            advance=progress.step,
        )
    for line in scheme_lines(table):
        print(line)
    return 0


def _experiment(chosen: argparse.Namespace) -> int:
    from service.jobs.experiment import experiment
    from service.jobs.study import read_study

    experiment(read_study(chosen.study), root=chosen.out, n_workers=chosen.workers)
    return 0


def _policies(chosen: argparse.Namespace) -> int:
    from service.jobs.policy_list import policy_lines

    for line in policy_lines(chosen.policy):
        print(line)
    return 0


def _check_policy(chosen: argparse.Namespace) -> int:
    from service.jobs.check_policy import check_policy, read_options, verdict_line

    options = read_options(chosen.options) if chosen.options else None
    n_broken = 0
    for verdict in check_policy(chosen.policy, options=options):
        n_broken += bool(verdict.broken)
        print(verdict_line(verdict), flush=True)
    return 1 if n_broken else 0


def _power(chosen: argparse.Namespace) -> int:
    from service.jobs.power import PowerQuestion, power_lines

    question = PowerQuestion(
        holdout_percent=chosen.holdout,
        effect_percent=chosen.effect,
        rate=chosen.rate,
        mean=chosen.mean,
        sd=chosen.sd,
        icc=chosen.icc,
        power_percent=chosen.power,
        level_percent=chosen.level,
        users=chosen.users,
        **({"weeks": tuple(chosen.weeks)} if chosen.weeks else {}),
    )
    for line in power_lines(question):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
