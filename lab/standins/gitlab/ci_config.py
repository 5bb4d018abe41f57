# ruff: noqa: ANN401 - YAML has any type
"""The content of a CI configuration: stages, global variables, and jobs with `extends` and defaults applied."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from lab.standins.gitlab import ci_artifact_types, ci_needs, ci_rules, ci_yaml
from lab.standins.gitlab.ci_yaml import ConfigError, FileLocation

_STAGES: Final = ("build", "test", "deploy")
_GLOBAL: Final = frozenset(
    {"default", "include", "stages", "types", "variables", "workflow", "spec", "pages"}
    | {"image", "services", "before_script", "after_script", "cache"}
)
_DEFAULTS: Final = (
    *("image", "services", "before_script", "after_script", "cache", "tags", "timeout", "retry", "interruptible"),
    *("artifacts", "id_tokens", "hooks", "identity"),
)
_KEYS: Final = frozenset(
    {*_DEFAULTS, "script", "stage", "rules", "only", "except", "variables", "environment", "when", "allow_failure"}
    | {"extends", "needs", "dependencies", "coverage", "parallel", "resource_group", "release", "secrets", "inherit"}
    | {"start_in", "trigger", "pages", "dast_configuration", "manual_confirmation", "publish", "run"}
)
_TRIGGER: Final = frozenset({"project", "branch", "include", "strategy", "forward", "inputs"})
_WHEN: Final = frozenset({"on_success", "on_failure", "always", "manual", "delayed", "never"})
_RULE_KEYS: Final = frozenset(
    {
        "if",
        "when",
        "changes",
        "exists",
        "allow_failure",
        "variables",
        "start_in",
        "needs",
        "interruptible",
        "auto_cancel",
    }
)
_ACTIONS: Final = frozenset({"start", "stop", "prepare", "verify", "access"})
_TIERS: Final = frozenset({"production", "staging", "testing", "development", "other"})


@dataclass(frozen=True, slots=True)
class CiConfiguration:
    """A CI configuration. `jobs` are hashes by name with `stage` set; `path` is the path of the main file."""

    stages: tuple[str, ...]
    variables: Mapping[str, Any]
    workflow: Mapping[str, Any]
    jobs: Mapping[str, dict[str, Any]]
    path: str
    merged: Mapping[str, Any]


def load(place: FileLocation, given: str | None = None) -> CiConfiguration:
    """Return the configuration of a project at a commit. Raises NoConfig, or ConfigError with all errors."""
    content, path = ci_yaml.content(place, given)
    content = ci_yaml.resolve(content, content)
    wrong: list[str] = []
    stages = content.get("stages", list(_STAGES))
    if not isinstance(stages, list) or not all(isinstance(one, str) for one in stages):
        raise ConfigError("stages config should be an array of strings")
    stages = [".pre", *(one for one in stages if one not in {".pre", ".post"}), ".post"]
    variables = content.get("variables") or {}
    if not isinstance(variables, dict) or not all(_is_variable(value) for value in variables.values()):
        wrong.append("variables config should be a hash of key value pairs")
        variables = {}
    workflow = content.get("workflow") or {}
    if not isinstance(workflow, dict):
        raise ConfigError("workflow config should be a hash")
    wrong += _rules_errors("workflow", workflow.get("rules"))
    named = {name: job for name, job in content.items() if name not in _GLOBAL or (name == "pages" and job)}
    wrong += [f"jobs:{name} config should be a hash" for name, job in named.items() if not isinstance(job, dict)]
    if wrong:
        raise ConfigError(*wrong)
    defaults = _defaults(content)
    jobs: dict[str, dict[str, Any]] = {}
    for name in named:
        if name.startswith("."):
            continue
        job = _inherited(_extended(named, name, ()), defaults)
        job.setdefault("stage", "test")
        wrong += _errors(name, job, stages)
        jobs[name] = job
    if not jobs:
        wrong.append("jobs config should contain at least one visible job")
    if not wrong:
        wrong += ci_needs.errors(jobs, stages)
        wrong += _stop_errors(jobs)
    if wrong:
        raise ConfigError(*wrong)
    return CiConfiguration(tuple(stages), variables, workflow, jobs, path, content)


def _defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    found = {name: content[name] for name in _DEFAULTS if name in content and name in _GLOBAL}
    default = content.get("default") or {}
    if not isinstance(default, dict):
        raise ConfigError("default config should be a hash")
    unknown = sorted(set(default) - set(_DEFAULTS))
    if unknown:
        raise ConfigError(f"default config contains unknown keys: {', '.join(unknown)}")
    return {**found, **default}


def _inherited(job: dict[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    inherit = job.get("inherit")
    wanted = inherit.get("default", True) if isinstance(inherit, dict) else True
    taken = {
        name: value
        for name, value in defaults.items()
        if wanted is True or (isinstance(wanted, list) and name in wanted)
    }
    return {**taken, **job}


def _extended(named: Mapping[str, Any], name: str, seen: tuple[str, ...]) -> dict[str, Any]:
    job = dict(named[name])
    above = job.pop("extends", None)
    if above is None:
        return job
    if name in seen or len(seen) > 10:  # noqa: PLR2004 - GitLab's limit
        raise ConfigError(f"{seen[0] if seen else name}: circular dependency detected in `extends`")
    result: dict[str, Any] = {}
    for one in above if isinstance(above, list) else [above]:
        if not isinstance(named.get(str(one)), dict):
            raise ConfigError(f"{name}: unknown keys in `extends` ({one})")
        result = ci_yaml.merge(result, _extended(named, str(one), (*seen, name)))
    return ci_yaml.merge(result, job)


# Checks ---------------------------------------------------------------------------------------------------------------


def _errors(name: str, job: Mapping[str, Any], stages: list[str]) -> list[str]:
    where = f"jobs:{name}"
    wrong = []
    unknown = sorted(set(job) - _KEYS)
    if unknown:
        wrong.append(f"{where} config contains unknown keys: {', '.join(unknown)}")
    if "trigger" in job:
        wrong += [f"{where} config contains unknown keys: {key}" for key in ("script", "id_tokens") if key in job]
        wrong += _trigger_errors(where, job["trigger"])
    elif "script" not in job and "run" not in job:
        wrong.append(f"{where} config should implement the script:, run:, or trigger: keyword")
    for key in ("script", "before_script", "after_script"):
        if key in job and lines(job[key]) is None:
            wrong.append(f"{where}:{key} config should be a string or a nested array of strings up to 10 levels deep")
    if "script" in job and lines(job["script"]) == []:
        wrong.append(f"{where}:script config can't be blank")
    if not isinstance(job["stage"], str):
        wrong.append(f"{where}:stage config should be a string")
    elif job["stage"] not in stages:
        wrong.append(
            f"{name} job: chosen stage {job['stage']} does not exist; available stages are {', '.join(stages)}"
        )
    if job.get("when", "on_success") not in _WHEN:
        wrong.append(f"{where} when should be one of: {', '.join(sorted(_WHEN))}")
    if not isinstance(job.get("variables", {}), dict | None) or not all(
        _is_variable(one) for one in (job.get("variables") or {}).values()
    ):
        wrong.append(f"{where}:variables config should be a hash of key value pairs")
    if "rules" in job and ("only" in job or "except" in job):
        wrong.append(f"{where} config key may not be used with `rules`: only")
    wrong += _rules_errors(where, job.get("rules"))
    wrong += _policy_errors(where, job)
    wrong += _tokens_errors(where, job.get("id_tokens"))
    wrong += _environment_errors(where, job.get("environment"))
    wrong += ci_artifact_types.errors(where, job.get("artifacts"))
    wrong += _coverage_errors(where, job.get("coverage"))
    if "image" in job and not isinstance(job["image"], str) and not isinstance((job["image"] or {}).get("name"), str):
        wrong.append(f"{where}:image config should be a hash or a string")
    return wrong


def _coverage_errors(where: str, coverage: Any) -> list[str]:
    if coverage is None or (isinstance(coverage, str) and ci_rules.compiled(coverage) is not None):
        return []
    return [f"{where}:coverage config must be a regular expression written with re2 syntax"]


def _trigger_errors(where: str, trigger: Any) -> list[str]:
    """Return the errors in a job's `trigger:`."""
    if isinstance(trigger, str):
        return [] if trigger.strip() else [f"{where}:trigger config can't be blank"]
    if not isinstance(trigger, dict):
        return [f"{where}:trigger config should be a hash or a string"]
    unknown = sorted(set(trigger) - _TRIGGER)
    if unknown:
        return [f"{where}:trigger config contains unknown keys: {', '.join(unknown)}"]
    if "include" in trigger and not included(trigger["include"]):
        return [f"{where}:trigger:include is not understood by this stand-in: one local file, or an artifact of a job"]
    if trigger.get("strategy") not in {None, "depend", "mirror"}:
        return [f"{where}:trigger strategy should be depend or mirror"]
    if ("project" in trigger) == ("include" in trigger):
        return [f"{where}:trigger config should contain either a project or an include"]
    return []


def included(include: Any) -> dict[str, str] | None:
    """Return where a child pipeline's configuration is: a local file, or the artifact of a job of its parent."""
    if isinstance(include, list) and len(include) == 1:
        include = include[0]
    if isinstance(include, str):
        include = {"local": include}
    known = isinstance(include, dict) and set(include) in ({"local"}, {"artifact", "job"})
    return include if known and all(isinstance(one, str) and one.strip() for one in include.values()) else None


def lines(value: Any, depth: int = 0) -> list[str] | None:
    """Return a script as a list of lines, None if it is not a script."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list) or depth > 10:  # noqa: PLR2004 - GitLab's limit
        return None
    found: list[str] = []
    for one in value:
        inner = lines(one, depth + 1)
        if inner is None:
            return None
        found += inner
    return found


def _is_variable(value: Any) -> bool:
    if isinstance(value, dict):
        return set(value) <= {"value", "description", "expand", "options"}
    return isinstance(value, str | int | float | bool)


def _rules_errors(where: str, rules: Any) -> list[str]:
    if rules is None:
        return []
    if not isinstance(rules, list):
        return [f"{where}:rules config should be a array of hashes"]
    wrong = []
    rules[:] = _flat(rules)
    for rule in rules:
        if not isinstance(rule, dict):
            return [f"{where}:rules:rule config should be a hash"]
        unknown = sorted(set(rule) - _RULE_KEYS)
        if unknown:
            wrong.append(f"{where}:rules:rule config contains unknown keys: {', '.join(unknown)}")
        if rule.get("if") is not None and not ci_rules.check(str(rule["if"])):
            wrong.append(f"{where}:rules:rule if invalid expression syntax")
        if rule.get("when", "on_success") not in _WHEN:
            wrong.append(f"{where}:rules:rule when unknown value: {rule['when']}")
        if not isinstance(rule.get("variables") or {}, dict):
            wrong.append(f"{where}:rules:rule variables config should be a hash")
    return wrong


def _flat(rules: list[Any]) -> list[Any]:
    """Return the rules in one list: `!reference` puts lists into the list."""
    return [one for rule in rules for one in (_flat(rule) if isinstance(rule, list) else [rule])]


def _policy_errors(where: str, job: Mapping[str, Any]) -> list[str]:
    wrong = []
    for key in ("only", "except"):
        policy = job.get(key)
        if policy is None:
            continue
        parts = policy.values() if isinstance(policy, dict) else [policy]
        if not all(isinstance(part, str | list) for part in parts):
            wrong.append(f"{where}:{key} config should be an array of strings or a hash")
        expressions = policy.get("variables", []) if isinstance(policy, dict) else []
        if not all(
            ci_rules.check(str(one)) for one in (expressions if isinstance(expressions, list) else [expressions])
        ):
            wrong.append(f"{where}:{key} variables invalid expression syntax")
    return wrong


def _tokens_errors(where: str, tokens: Any) -> list[str]:
    if tokens is None:
        return []
    if not isinstance(tokens, dict):
        return [f"{where}:id_tokens config should be a hash"]
    wrong = []
    for name, token in tokens.items():
        here = f"{where}:id_tokens:{name}"
        if not isinstance(token, dict):
            wrong.append(f"{here} config should be a hash")
            continue
        unknown = sorted(set(token) - {"aud", "sub", "sub_components"})
        if unknown:
            wrong.append(f"{here} config contains unknown keys: {', '.join(unknown)}")
        audience = token.get("aud")
        if audience is None:
            wrong.append(f"{here} config missing required keys: aud")
        elif not isinstance(audience, str) and not (
            isinstance(audience, list) and audience and all(isinstance(one, str) for one in audience)
        ):
            wrong.append(f"{here} aud should be a string or an array of strings")
    return wrong


def _stop_errors(jobs: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the errors in `environment:on_stop`."""
    wrong = []
    for name, job in jobs.items():
        environment = job.get("environment")
        if not isinstance(environment, dict) or environment.get("on_stop") is None:
            continue
        stop = environment["on_stop"]
        here, other = f"{name} job: on_stop job {stop}", (jobs.get(str(stop)) or {}).get("environment")
        if str(stop) not in jobs:
            wrong.append(f"{here} is not defined")
        elif other is None:
            wrong.append(f"{here} does not have environment defined")
        elif not isinstance(other, dict) or other.get("name") != environment["name"]:
            wrong.append(f"{here} have different environment name")
        elif other.get("action") != "stop":
            wrong.append(f"{here} needs to have action stop defined")
    return wrong


def _environment_errors(where: str, environment: Any) -> list[str]:
    if environment is None:
        return []
    if isinstance(environment, str):
        environment = {"name": environment}
    if not isinstance(environment, dict):
        return [f"{where}:environment config should be a hash or a string"]
    wrong = []
    name = environment.get("name")
    if not isinstance(name, str) or not name.strip():
        wrong.append(f"{where}:environment name can't be blank")
    elif not re.fullmatch(r"[a-zA-Z0-9_/\\${}. -]+", name):
        wrong.append(
            f"{where}:environment name can contain only letters, digits, '-', '_', '/', '$', '{{', '}}', '.', "
            "and spaces, but it cannot start or end with '/'"
        )
    if environment.get("action", "start") not in _ACTIONS:
        wrong.append(f"{where}:environment action should be start, stop, prepare, verify, or access")
    if environment.get("deployment_tier", "other") not in _TIERS:
        wrong.append(f"{where}:environment deployment tier must be one of {', '.join(sorted(_TIERS))}")
    return wrong
