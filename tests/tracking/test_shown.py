"""What TensorBoard and W&B show of a run beside its curves, which test_resumed.py compares."""

import json

import pytest
from read_back import logged, tensorboard_curves, wandb_curves, wandb_records

from denoisebench.scoring.run import run_folder, run_network
from denoisebench.tracking import open_trackers


@pytest.fixture
def run(bench, recipe):
    """Track a run; its folder and its result."""
    folder = run_folder(bench, recipe)
    with open_trackers(["tensorboard", "wandb"], recipe, folder, note=pytest.fail) as trackers:
        result = run_network(bench, recipe, folder, report=trackers.report)
        trackers.finish(result)
    return folder, result


def test_tensorboard_shows_curves_scores_recipe_and_picture(run, recipe):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, result = run
    reader = EventAccumulator(str(folder / "tensorboard")).Reload()
    assert set(reader.Tags()["scalars"]) == {
        "loss/cgan", "loss/l1", "loss/critic", "validation/psnr", "health/real_accuracy",
        "health/fake_accuracy", "health/saturated", "health/gradient_ratio",
        "health/output_spread", "training/learning_rate", "training/images_per_second",
        "training/seconds", "test/psnr", "test/rmse_hu",
    }  # fmt: skip
    (score,) = reader.Scalars("test/psnr")
    assert score.step == 20
    assert score.value == pytest.approx(result.metrics["psnr"].mean, rel=1e-7)  # float32
    (picture,) = reader.Images("preview")
    assert picture.encoded_image_string == (folder / "preview.png").read_bytes()
    assert (picture.width, picture.height) > (100, 100)
    texts = {tag: reader.Tensors(tag)[0].tensor_proto.string_val[0].decode()
             for tag in ("recipe/text_summary", "status/text_summary")}  # fmt: skip
    assert f'    hash = "{recipe.hash}"' in texts["recipe/text_summary"]
    assert '    loss = "cgan + 100*l1"' in texts["recipe/text_summary"]
    assert texts["status/text_summary"] == "done"
    assert "_hparams_/session_start_info" in reader.summary_metadata


def test_points_stand_as_far_apart_in_time_as_training_took(run, bench, recipe):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folder, result = run
    with open_trackers(["tensorboard"], recipe, folder, note=pytest.fail) as trackers:
        trackers.finish(result)  # all lines at once
    reader = EventAccumulator(str(folder / "tensorboard")).Reload()
    times = [event.wall_time for event in reader.Scalars("loss/l1")]
    seconds = [record.seconds for record in logged(folder)]
    # 1e-6: times since 1970 in float64
    assert [time - times[-1] for time in times] == pytest.approx(
        [each - seconds[-1] for each in seconds], abs=1e-6
    )


def test_wandb_shows_recipe_scores_and_state(run, recipe):
    folder, result = run
    (file,) = folder.glob("wandb/*/run-*.wandb")
    records = list(wandb_records(file))
    (about,) = [record.run for record in records if record.HasField("run")]
    assert (about.run_id, about.display_name, about.run_group, about.project) == (
        recipe.hash, folder.name, recipe.family, "denoisebench",
    )  # fmt: skip
    config = {item.key: json.loads(item.value_json) for item in about.config.update}
    del config["_wandb"]
    assert config == recipe.model_dump(exclude_none=True)
    summary = {}
    for record in records:
        for item in record.summary.update:
            summary[item.key or item.nested_key[0]] = json.loads(item.value_json)
    assert summary["test/psnr"] == result.metrics["psnr"].mean
    assert summary["test/rmse_hu"] == result.metrics["rmse_hu"].mean
    assert summary["status"] == "done"
    (end,) = [record.exit for record in records if record.HasField("exit")]
    assert end.exit_code == 0


def test_a_run_without_a_result_ends_as_failed(bench, recipe):
    folder = run_folder(bench, recipe)
    with open_trackers(["wandb"], recipe, folder, note=pytest.fail):
        pass
    (file,) = folder.glob("wandb/*/run-*.wandb")
    (end,) = [record.exit for record in wandb_records(file) if record.HasField("exit")]
    assert end.exit_code == 1


def test_steps_that_a_server_has_already_are_not_logged_again(run, recipe):
    """Stands for a run that goes on online: there, W&B says at which step it is."""
    folder, result = run
    before = set(folder.glob("wandb/*"))
    with open_trackers(["wandb"], recipe, folder, note=pytest.fail) as trackers:
        trackers._open["wandb"]._next = 11
        trackers.finish(result)
    (ours,) = set(folder.glob("wandb/*")) - before
    assert [step for step, _ in wandb_curves(folder)["loss/l1"]] == [12, 14, 16, 18, 20]
    assert ours.is_dir()


@pytest.mark.parametrize("mode", ["disabled", "dryrun"])
def test_other_modes_of_wandb_harm_nothing(bench, recipe, monkeypatch, mode):
    monkeypatch.setenv("WANDB_MODE", mode)
    folder = run_folder(bench, recipe)
    notes: list[str] = []
    with open_trackers(["wandb"], recipe, folder, note=notes.append) as trackers:
        trackers.finish(run_network(bench, recipe, folder, report=trackers.report))
    assert notes == []


def test_tags_are_what_the_log_calls_them(run):
    folder, _ = run
    named = {tag.partition("/")[2] for tag in tensorboard_curves(folder) if tag.startswith("loss/")}
    assert named == set(logged(folder)[0].losses)
