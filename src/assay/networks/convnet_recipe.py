"""How the convnet is trained: its size and hyper-parameters by the amount of data and time.

The figures behind the choices stand in `docs/log.md`: a small network that sees every image at least once beats a large
one that sees half of them; a larger one pays as soon as it can see them several times.
"""

from __future__ import annotations

from assay.networks.convnet import ConvNetSettings
from assay.task import Situation
from assay.training.plan import Plan
from assay.training.precision import multiplies_bfloat16

#: From the quickest network to the most accurate one, each with the passes over the data from which it is the better
#: choice.
LADDER = (
    (ConvNetSettings(width=16, depth=0), 0.0),
    (ConvNetSettings(width=16, depth=1), 0.75),
    (ConvNetSettings(width=32, depth=1), 2.5),
    (ConvNetSettings(width=48, depth=1), 8.0),
)
_MIDDLE = 2
#: From this width on, products in bfloat16 are quicker where the processor has instructions for them.
_WIDE = 32
#: Fewer samples than this do not feed a network wider than the middle one.
_FEW = 5000
_MOST_EPOCHS = 60
_MOST_STEPS_FEW = 1500


def convnet_recipe(situation: Situation) -> tuple[ConvNetSettings, Plan]:
    """The largest network that the time suffices for, and a plan with as much regularisation as the passes ask for."""
    few = situation.samples < _FEW
    if situation.epochs is None:
        place, epochs = _climb(situation, _MIDDLE if few else len(LADDER) - 1)
    else:
        epochs = situation.epochs
        place = _MIDDLE if few else max(at for at, (_, least) in enumerate(LADDER) if epochs >= least)
    return LADDER[place][0], convnet_plan(situation, epochs, LADDER[place][0])


def convnet_plan(situation: Situation, epochs: float, settings: ConvNetSettings) -> Plan:
    """Hyper-parameters for so many passes over the training images."""
    spec, samples = situation.spec, situation.samples
    photos = spec.channels >= 3 and min(spec.height, spec.width) >= 32
    long = epochs >= 6
    batch = 64 if samples < _FEW else 128 if epochs < 2.5 else 256
    most = max(_MOST_EPOCHS * samples // batch, _MOST_STEPS_FEW)
    return Plan(
        steps=most,
        batch_size=batch,
        optimizer="muon",
        learning_rate=0.1 if samples >= _FEW else 0.05,
        momentum=0.9,
        schedule="one-cycle",
        warmup=0.2,
        label_smoothing=0.1,
        augment={
            "shift": 0.036 if long else 0.0,
            "flip": 0.5 if photos else 0.0,
            "crop": 0.6 if photos and long else 1.0,
            "jitter": 0.2 if photos and long else 0.0,
            "erase": 0.286 if long and samples >= _FEW else 0.0,
        },
        checks=10,
        precision="bfloat16" if settings.width >= _WIDE and multiplies_bfloat16() else "float32",
    )


def _climb(situation: Situation, top: int) -> tuple[int, float]:
    """The step of the ladder to stand on, and the passes that the budget allows there; measures as few as it can."""
    seconds = situation.budget_s or 0.0

    def passes(place: int) -> float:
        settings = LADDER[place][0]
        plan = convnet_plan(situation, 4.0, settings)
        return seconds / (situation.samples * situation.seconds_per_sample(settings, plan))

    place, epochs = _MIDDLE, passes(_MIDDLE)
    if epochs < LADDER[_MIDDLE][1]:
        while place and epochs < LADDER[place][1]:
            place -= 1
            epochs = passes(place)
        return place, epochs
    while place < top and (more := passes(place + 1)) >= LADDER[place + 1][1]:
        place, epochs = place + 1, more
    return place, epochs
