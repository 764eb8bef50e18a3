"""What a worker says of its job."""

from denoisebench.fleet.cluster.worker import Worker
from denoisebench.fleet.job import News
from denoisebench.training.log import Record


def test_each_line_and_each_note_is_heard_and_of_what_it_does_the_last():
    record = Record(1, 0.5, 1.0, 1e-3, 10.0, {"l1": 0.5}, None)
    told = [
        News("a", "running", doing="opening data"),
        News("a", "running", note="not compiled"),
        News("a", "running", doing="validating"),
        News("a", "running", record=record),
        News("a", "running", doing="scoring, 1 of 2"),
        News("a", "running", doing="scoring, 2 of 2"),
    ]
    worker = Worker()
    for news in told:
        worker._tell(news)
    assert worker.hear(0) == [told[1], told[3], told[5]]
    assert worker.hear(0) == []
