"""Only a plug-in that the user names is ever imported."""


def test_no_module_in_the_folders_of_data_runs_and_work_is_imported(journey):
    assert journey.marks == []
