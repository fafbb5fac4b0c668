"""The tasks of a cluster, as `TF_CONFIG` describes them. No TensorFlow."""

import dataclasses
import ipaddress
import json
import re
from typing import Annotated, Any, Literal

import pydantic

from tfpaths import errors, schema

# What TensorFlow's resolver reads too, and what the services add that write TF_CONFIG.
_OTHERS_KEYS = {"environment", "job", "rpc_layer", "session_master"}
_OTHERS_KEYS_OF_TASK = {"cloud", "trial"}
_ADDRESS = re.compile(r"(?:\[([^\s\[\]]+)\]|([\w.-]+)):([0-9]{1,5})")


@dataclasses.dataclass(frozen=True)
class Task:
    """One process of a cluster.

    Attributes:
      job: `"chief"` or `"worker"`.
      index: Its number in the job, from 0 on.
      address: `host:port`.

    Example:
      >>> task = Task("worker", 1, "[::1]:2222")
      >>> task.name, task.host, task.port
      ('worker 1', '::1', 2222)
    """

    job: str
    index: int
    address: str

    @property
    def name(self) -> str:
        """The job and the number."""
        return f"{self.job} {self.index}"

    @property
    def host(self) -> str:
        """The name or the number of the machine, without brackets."""
        return _split(self.address)[0]

    @property
    def port(self) -> int:
        """The port on which the task listens."""
        return _split(self.address)[1]


@dataclasses.dataclass(frozen=True)
class Cluster:
    """All tasks of a cluster.

    Attributes:
      own: The task of this process.
      tasks: All of them, this one too.

    Example: see `read`.
    """

    own: Task
    tasks: tuple[Task, ...]

    @property
    def others(self) -> tuple[Task, ...]:
        """All tasks but this process's."""
        return tuple(task for task in self.tasks if task != self.own)


def _split(address: str) -> tuple[str, int]:
    found = _ADDRESS.fullmatch(address)
    assert found is not None
    return found[1] or found[2], int(found[3])


def _is_address(text: str) -> bool:
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found[3]) <= 65535:
        return False
    try:
        return found[1] is None or bool(ipaddress.IPv6Address(found[1]))
    except ValueError:
        return False


def _without(values: Any, names: set[str]) -> Any:
    return {name: value for name, value in values.items() if name not in names} if isinstance(values, dict) else values


_Addresses = Annotated[
    tuple[Annotated[str, schema.expects("host:port with a port from 1 to 65535", _is_address)], ...],
    pydantic.Strict(False),
]


class _Jobs(schema.Value):
    """`cluster` in TF_CONFIG."""

    chief: Annotated[_Addresses, schema.expects("a list of one host:port", lambda value: len(value) == 1)] = ()
    worker: Annotated[_Addresses, schema.expects("a list of at least one host:port", bool)]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _check_names(cls, jobs: Any) -> Any:
        for name in jobs if isinstance(jobs, dict) else ():
            if name not in cls.model_fields:
                raise schema.wrong(name, "only the jobs chief and worker, which --strategy=multi_worker has", name)
        return jobs

    @pydantic.model_validator(mode="after")
    def _check_distinct(self) -> "_Jobs":
        paths: dict[tuple[str, int], str] = {}
        for task in self.tasks():
            path = f"{task.job}.{task.index}"
            first = paths.setdefault((task.host.lower(), task.port), path)
            if first != path:
                raise schema.wrong(path, f"another address than that of cluster.{first}", task.address)
        return self

    def tasks(self) -> tuple[Task, ...]:
        """Returns all tasks, the chief first."""
        jobs = {"chief": self.chief, "worker": self.worker}
        return tuple(Task(job, index, text) for job, texts in jobs.items() for index, text in enumerate(texts))


def _integer(value: Any) -> Any:
    """Returns a text of digits as an integer, as TensorFlow reads it: a shell script may write the index so."""
    return int(value) if isinstance(value, str) and re.fullmatch("[0-9]{1,9}", value) else value


class _Task(schema.Value):
    """`task` in TF_CONFIG."""

    type: Literal["chief", "worker"]
    index: Annotated[int, pydantic.BeforeValidator(_integer)]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _drop_others(cls, values: Any) -> Any:
        return _without(values, _OTHERS_KEYS_OF_TASK)


class _Config(schema.Value):
    """TF_CONFIG."""

    cluster: _Jobs
    task: _Task

    @pydantic.model_validator(mode="before")
    @classmethod
    def _drop_others(cls, values: Any) -> Any:
        return _without(values, _OTHERS_KEYS)

    @pydantic.model_validator(mode="after")
    def _check_task(self) -> "_Config":
        job, index = self.task.type, self.task.index
        count = len(getattr(self.cluster, job))
        if not count:
            raise schema.wrong("task.type", "worker, because the cluster has no chief", job)
        if not 0 <= index < count:
            expected = "0" if count == 1 else f"an integer from 0 to {count - 1}"
            raise schema.wrong("task.index", f"{expected}, the tasks of cluster.{job}", index)
        return self


def read(text: str | None) -> Cluster:
    """Returns the cluster that `TF_CONFIG` describes.

    The keys of other readers are ignored: `environment`, `rpc_layer`, `session_master`, `job`, and in the task `cloud`
    and `trial`.

    Args:
      text: The value of `TF_CONFIG`, or None if it is not set.

    Raises:
      InputError: It is missing or invalid. The message has the path of what is wrong.

    Example:
      >>> jobs = {"worker": ["machine-0:2222", "machine-1:2222"]}
      >>> cluster = read(json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 1}}))
      >>> cluster.own
      Task(job='worker', index=1, address='machine-1:2222')
      >>> [task.name for task in cluster.others]
      ['worker 0']
      >>> read(json.dumps({"cluster": jobs, "task": {"type": "worker", "index": 2}}))
      Traceback (most recent call last):
          ...
      tfpaths.errors.InputError: TF_CONFIG: task.index: expected an integer from 0 to 1, the tasks of cluster.worker...
    """
    try:
        values = json.loads(text or "")
    except ValueError:
        values = None
    if not values or not isinstance(values, dict):
        raise errors.InputError(
            "TF_CONFIG: expected JSON with a cluster and this process's task, as launch/multi_worker.sh writes it: "
            '{"cluster": {"worker": ["machine-0:2222", "machine-1:2222"]}, "task": {"type": "worker", "index": 0}}, '
            f"received {repr(text) if text else 'none'}."
        )
    try:
        config = _Config(**values)
    except errors.InputError as error:
        raise errors.InputError(f"TF_CONFIG: {error}") from None
    tasks = config.cluster.tasks()
    (own,) = (task for task in tasks if (task.job, task.index) == (config.task.type, config.task.index))
    return Cluster(own, tasks)
