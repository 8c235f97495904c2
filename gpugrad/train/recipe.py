"""Recipe: a training program of the course notes, which one command runs, measures, draws and saves."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from ..backend.devices import device as find_device
from ..backend.random import manual_seed
from ..errors import CheckpointError, OptionError
from ..io import load_training, save
from ..nn import Module, ModuleDict
from .trainer import Trainer


class Goal(NamedTuple):
    """What a full run must reach: a figure of at least `bar`, or of at most that if `lower` is better.

    form: how the figure is printed.

    >>> goal = gg.train.Goal(0.985)
    >>> goal.is_met(0.99), str(goal)
    (True, 'at least 98.50%')
    """

    bar: float
    lower: bool = False
    form: str = ".2%"

    def is_met(self, figure: float) -> bool:
        """Return whether the figure reaches the bar; NaN does not."""
        return bool(figure <= self.bar if self.lower else figure >= self.bar)

    def __str__(self) -> str:
        return f"at {'most' if self.lower else 'least'} {self.bar:{self.form}}"


@dataclass
class Options:
    """Says how a recipe is run; `settings` replace its own, such as {"epochs": 3}.

    device: where its network is. seed: of its start values and random choices. quick: a run of seconds, which shows
    that everything works and reaches no goal. out: the folder of what it writes. resume: go on with a run that was
    broken off. weights: a file of start values, where the recipe can use one. text: a file to read, likewise.

    >>> gg.train.Options(quick=True).device
    'cpu'
    """

    device: Any = "cpu"
    seed: int = 0
    quick: bool = False
    out: Path = Path("runs")
    resume: bool = False
    weights: Path | None = None
    text: Path | None = None
    progress: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Outcome:
    """Holds what a run gave: figures by name, whether each goal is met, the seconds it took, those of a step and the
    losses of each training, the pictures' paths, the checkpoint's path.

    >>> from pathlib import Path
    >>> outcome = gg.train.Outcome({"accuracy": 0.99}, {"accuracy": True}, 20.5, {}, {}, [], Path("a"))
    >>> all(outcome.met.values())
    True
    """

    figures: dict[str, float]
    met: dict[str, bool]
    seconds: float
    step_seconds: dict[str, float]
    losses: dict[str, list[float]]
    pictures: list[Path]
    checkpoint: Path


class Recipe:
    """A training program. The first line of a recipe's docstring is its description in the list of recipes.

    A recipe defines `build`, `train`, `evaluate` and, for pictures, `draw`; numbers that a reader may change (`epochs`,
    `lr`, ...) are attributes of its class. `run` does everything in order; `restore` goes back to a saved run.

    model: the network, or a ModuleDict of several, that `build` returned. record: numbers, texts, lists and dicts of
    them that the checkpoint keeps beside the network, such as errors by depth.

    >>> class Line(gg.train.Recipe):
    ...     '''Fits a line.'''
    ...     epochs = 50
    ...     goals = {"error": gg.train.Goal(0.01, lower=True, form=".4f")}
    ...     def build(self):
    ...         return nn.Linear(1, 1)
    ...     def data(self):
    ...         x = gg.linspace(-1, 1, 20).reshape(-1, 1)
    ...         return x, 2 * x + 1
    ...     def train(self):
    ...         optimizer = gg.optim.SGD(self.model.parameters(), lr=0.5)
    ...         self.fit(self.trainer(self.model, optimizer, F.mse_loss), [self.data()])
    ...     def evaluate(self):
    ...         x, y = self.data()
    ...         return {"error": F.mse_loss(self.model(x), y).item()}
    >>> outcome = Line(gg.train.Options(progress=False)).run()
    error: 0.0000 (at most 0.0100: reached)
    wrote runs/line.safetensors
    >>> outcome.met
    {'error': True}
    """

    saved: ClassVar = frozenset({"recipe", "seed", "quick", "settings", "text", "record"})  # what a checkpoint says
    notes: ClassVar[tuple[str, ...]] = ()  # the course notes' sections that it shows
    minutes: ClassVar[float] = 1  # that a full run takes on two cores
    goals: ClassVar[Mapping[str, Goal]] = {}
    reads: ClassVar[frozenset[str]] = frozenset()  # which of Options' files it uses: "weights", "text"
    quick: ClassVar[Mapping[str, Any]] = {}  # settings of a quick run
    epochs: int = 1
    model: Any  # what `build` returned

    def __init__(self, options: Options | None = None):
        self.options = options = Options() if options is None else options
        self.device = find_device(options.device)
        self.changed = {**(self.quick if options.quick else {}), **options.settings}
        for name in ("weights", "text"):
            if getattr(options, name) is not None and name not in self.reads:
                raise OptionError(f"{self.name}: does not read a file of {name}, got {getattr(options, name)}")
        own = self.settings()
        for name, value in self.changed.items():
            if name not in own:
                raise OptionError(f"{self.name}: has no setting {name!r}; it has {', '.join(own)}")
            number, usual = not isinstance(own[name], str), own[name]
            least = int(type(usual) is int and usual > 0 and not name.endswith("epochs"))  # sizes and counts; 0 epochs
            if isinstance(value, str) == number or (number and usual >= 0 and not least <= value < math.inf):
                allowed = f"a finite number, at least {least}" if number else "a text"
                raise OptionError(f"{self.name}: {name} must be {allowed}, such as {usual!r}, got {value!r}")
            setattr(self, name, value)
        self.record: dict[str, Any] = {}
        self.step_seconds: dict[str, float] = {}
        self.losses: dict[str, list[float]] = {}
        self.pictures: list[Path] = []
        self._parts: list[Path] = []  # files of what is trained so far

    # What a recipe defines

    def build(self) -> Module:
        """Return the network, new; several as a ModuleDict. A recipe without one trains nothing that must be saved."""
        return ModuleDict()

    def train(self) -> None:
        """Train `self.model`, by `self.fit`."""

    def evaluate(self) -> dict[str, float]:
        """Return the figures of the trained network, by name; the goals' names are among them."""
        raise NotImplementedError

    def draw(self) -> None:
        """Write the pictures, to paths that `self.picture(...)` gives."""

    # What it uses

    @cached_property
    def name(self) -> str:
        """The name on the command line: that of the recipe's file, of the class for one of your own."""
        package, _, module = type(self).__module__.rpartition(".")
        return module if package.endswith("recipes") else type(self).__name__.lower()

    @classmethod
    def description(cls) -> str:
        """Return the first line of its docstring."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    @classmethod
    def settings(cls) -> dict[str, Any]:
        """Return what `Options.settings` can change, with the values of a full run."""
        names = {name for kind in cls.__mro__ if issubclass(kind, Recipe) for name in vars(kind)} - set(vars(Recipe))
        found = {name: getattr(cls, name) for name in sorted(names | {"epochs"}) if not name.startswith("_")}
        return {name: value for name, value in found.items() if isinstance(value, (int, float, str))}

    def picture(self, name: str, suffix: str = ".png") -> Path:
        """Return the path of a picture of the run, which the report will show."""
        path = self.options.out / f"{self.name}-{name}{suffix}"
        self.pictures.append(path)
        return path

    def trainer(self, *args: Any, kind: type[Trainer] = Trainer, **kwargs: Any) -> Any:
        """Return a Trainer, or one of another `kind`, on the run's device and with its progress bar."""
        return kind(*args, **{"device": self.device, "progress": self.options.progress, **kwargs})

    def fit(
        self,
        trainer: Trainer,
        loader: Iterable[Any],
        epochs: int | None = None,
        validation: Iterable[Any] | None = None,
        name: str = "main",
    ) -> Trainer:
        """Train until `epochs` (by default the recipe's) are done; a recipe that trains several times names each.

        Ctrl-C saves what is done, and a run that resumes goes on from there.
        """
        file = self.options.out / f"{self.name}-{name}.run"
        if self.options.resume and file.exists() and file not in self._parts:
            saved = load_training(file).get("settings")
            if saved != self._identity():
                raise CheckpointError(
                    f"{file}: of a run with {saved}, this one has {self._identity()}; remove the file, or give the "
                    "options of then"
                )
            trainer.load(file, loader if hasattr(loader, "load_state_dict") else None)
        self._parts.append(file)
        start, before = time.perf_counter(), trainer.step
        try:
            trainer.fit(loader, self.epochs if epochs is None else epochs, validation)
        finally:  # Ctrl-C as well
            trainer.save(file, settings=self._identity())
        self.losses[name] = trainer.losses
        if trainer.step > before:
            self.step_seconds[name] = (time.perf_counter() - start) / (trainer.step - before)
        return trainer

    def _identity(self) -> dict[str, Any]:
        settings = {name: value for name, value in self.changed.items() if name != "epochs"}
        return {"seed": self.options.seed, **settings, **{k: v for k, v in self._files().items() if v is not None}}

    def _files(self) -> dict[str, str | None]:
        """Return the paths of the user's files that it reads."""
        given = {name: getattr(self.options, name) for name in ("text", "weights")}
        return {name: None if file is None else str(file) for name, file in given.items()}

    # Running

    def run(self) -> Outcome:
        """Build, train, evaluate, save, draw; print the figures. Ctrl-C says how to go on."""
        start = time.perf_counter()
        self.options.out.mkdir(parents=True, exist_ok=True)  # before the work that it is for
        with self._saying_how_to_resume():
            manual_seed(self.options.seed)
            self.model = self.build().to(self.device)
            self.train()
            self.model.eval()
            figures = {name: float(value) for name, value in self.evaluate().items()}
            checkpoint = self._save(figures)
            self.draw()
        for file in self._parts:
            file.unlink(missing_ok=True)
        met = {name: goal.is_met(figures[name]) for name, goal in self.goals.items()}
        print("\n".join(self.described(figures)))
        print("wrote", ", ".join(map(str, [checkpoint, *self.pictures])))
        return Outcome(
            figures, met, time.perf_counter() - start, self.step_seconds, self.losses, self.pictures, checkpoint
        )

    @property
    def is_full(self) -> bool:
        """Whether the run is the one that the goals are for: no setting is changed, and the text is the recipe's."""
        return not (self.changed or self.options.quick or self.options.text)

    def described(self, figures: Mapping[str, float]) -> Iterator[str]:
        """Give a line for each figure, with its goal."""
        for name, value in figures.items():
            goal = self.goals.get(name)
            said = ""
            if goal is not None:
                verdict = ("reached" if goal.is_met(value) else "missed") if self.is_full else "of a full run"
                said = f" ({goal}: {verdict})"
            yield f"{name}: {self.formatted(name, value)}{said}"

    def formatted(self, name: str, value: float) -> str:
        """Return a figure as it is printed: in its goal's form, if it has one."""
        return f"{value:{self.goals[name].form if name in self.goals else '.4g'}}"

    def _save(self, figures: Mapping[str, float]) -> Path:
        path = self.options.out / f"{self.name}.safetensors"
        about: dict[str, Any] = {"recipe": self.name, "seed": self.options.seed, "quick": self.options.quick}
        about |= {"settings": self.changed, **self._files()}
        save(path, self.model.state_dict(), {**about, "record": json.dumps(self.record), "figures": dict(figures)})
        return path

    @contextmanager
    def _saying_how_to_resume(self) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            if any(file.exists() for file in self._parts):
                print(f"\nwhat is done is saved; the same command with --resume goes on: gpugrad train {self.name}")
            raise

    @classmethod
    def restore(cls, tensors: Mapping[str, Any], about: Mapping[str, Any], options: Options) -> Recipe:
        """Return the recipe of a saved run with its trained network, from what its checkpoint holds (`gg.io.load`)."""
        record = about["record"]  # a text, in which dicts keep their order; files of earlier versions have a dict
        try:
            record = json.loads(record) if isinstance(record, str) else dict(record)
            options.seed, options.quick, options.settings = about["seed"], about["quick"], dict(about["settings"])
        except (TypeError, ValueError) as error:
            raise CheckpointError(f"a checkpoint whose record or settings cannot be read ({error})") from None
        for name in ("text", "weights"):  # files of earlier versions have no weights
            setattr(options, name, None if about.get(name) is None else Path(about[name]))
        self = cls(options)
        manual_seed(options.seed)
        self.model = self.build().to(self.device)
        self.model.load_state_dict(tensors)
        self.model.eval()
        self.record = record
        return self
