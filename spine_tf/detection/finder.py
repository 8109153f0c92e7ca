"""From a volume to `vertebrae/1`: looks, judges what is seen, and names the column."""

import dataclasses
import os
from typing import Any

from spine_tf import vertebrae, volume
from spine_tf.detection import detector, domain, label_parameters, labelling, network

# The weights of the package, and beside them their model card.
WEIGHTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "weights", "detector.npz")


@dataclasses.dataclass(frozen=True)
class Found:
    """What was found in one volume.

    Attributes:
        annotation: The vertebrae; of status unknown, with the reason, where they are not named.
        measures: See `domain`; None if no body was found or the volume was not looked at.
        labelled: The names and their probabilities; None if the volume was not looked at.
    """

    annotation: vertebrae.Annotation
    measures: domain.Measures | None = None
    labelled: labelling.Labelling | None = None

    @property
    def is_answered(self) -> bool:
        """Whether the vertebrae are named."""
        return self.annotation.status == vertebrae.ANSWERED

    @property
    def is_in_domain(self) -> bool:
        """Whether the volume is a sagittal T2 of a lumbar spine, named or not."""
        return self.labelled is not None and not domain.reason(self.measures)

    def to_json(self) -> dict[str, Any]:
        """Returns `vertebrae/1` with the scores, ready for `json.dump`."""
        content = vertebrae.to_json(self.annotation)
        content["domain_score"] = round(domain.score(self.measures), 3)
        if self.measures is not None:
            content["measures"] = {
                name: round(value, 3) for name, value in dataclasses.asdict(self.measures).items()
            }
        if self.labelled is not None:
            shares = self.labelled.lumbar_probability
            content["number_of_lumbar"] = {
                str(number): round(float(share), 4)
                for number, share in zip(label_parameters.NUMBERS_OF_LUMBAR, shares, strict=True)
            }
        return content


@dataclasses.dataclass(frozen=True)
class Finder:
    """A detector that is ready.

    Attributes:
        predict: From `detector.predictor`.
        source: What made an annotation, for its `source`.
    """

    predict: detector.Predict
    source: str

    def find(self, scan: volume.Volume, series_instance_uid: str | None = None) -> Found:
        """Finds and names the vertebrae of one volume.

        Args:
            scan: Any volume. One that is no sagittal T2 of a lumbar spine is unknown, never named.
            series_instance_uid: The DICOM series that it is, if it is one.
        """
        problem = domain.unfit(scan)
        if problem:
            return Found(self._unknown(f"out of domain: {problem}", series_instance_uid))
        try:
            seen = detector.detect(scan, self.predict)
        except ValueError as error:  # nearly nothing is shown
            return Found(self._unknown(f"out of domain: {error}", series_instance_uid))
        labelled = labelling.label(
            seen.bodies,
            seen.discs,
            foot_edge_mm=detector.foot_edge_mm(scan),
            out_of_domain=domain.reason(seen.measures),
        )
        made = labelling.annotate(seen.bodies, labelled, series_instance_uid, self.source)
        return Found(made, seen.measures, labelled)

    def _unknown(self, reason: str, uid: str | None) -> vertebrae.Annotation:
        return vertebrae.Annotation(
            vertebrae=(),
            series_instance_uid=uid,
            source=self.source,
            status=vertebrae.UNKNOWN,
            reason=reason,
        )


def load_packed(path: str, source: str) -> Finder:
    """Makes the finder of weights that `network.save` wrote.

    Raises:
        FileNotFoundError: If they are not there.
        ValueError: If the file is none of this version.
    """
    return Finder(detector.predictor(network.load(path).model), source)
