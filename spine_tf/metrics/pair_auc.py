"""Area under the ROC of pairs: how often one subject's pair is closer than two subjects'.

Source: Jamaludin 2017, section 4.1 and Fig. 6. For validation while training; `evaluate` computes
the exact area.
"""

import keras
import tensorflow as tf

_NUM_THRESHOLDS = 500


class PairAuc(keras.metrics.AUC):
    """Labels [batch], 1 = same subject; outputs [batch] distances, which are squeezed to (0, 1].

    The margin is the scale of the distances: thresholds lie closest around it.
    """

    def __init__(self, margin: float, name: str = "auc"):
        super().__init__(num_thresholds=_NUM_THRESHOLDS, name=name)
        self._margin = margin

    def update_state(self, y_true, y_pred, sample_weight=None):
        closeness = 1.0 / (1.0 + tf.cast(y_pred, tf.float32) / self._margin)
        return super().update_state(y_true, closeness, sample_weight)

    def result(self):
        positives = self.true_positives[0] + self.false_negatives[0]
        negatives = self.false_positives[0] + self.true_negatives[0]
        both = (positives > 0) & (negatives > 0)
        return tf.where(both, super().result(), float("nan"))
