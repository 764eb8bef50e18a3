"""A tracker of somebody's own, named as `recording:Recording`."""

CALLS: list[tuple] = []


class Recording:
    def __init__(self, recipe, folder):
        CALLS.append(("begin", recipe.hash, folder))

    def lines(self, records):
        CALLS.append(("lines", [record.step for record in records]))

    def result(self, result, preview):
        CALLS.append(("result", result.status, preview))

    def close(self):
        CALLS.append(("close",))


class Forgetful(Recording):
    """Fails where FAILING says so."""

    FAILING = ""

    def __init__(self, recipe, folder):
        super().__init__(recipe, folder)
        self._fail("begin")

    def lines(self, records):
        super().lines(records)
        self._fail("lines")

    def result(self, result, preview):
        super().result(result, preview)
        self._fail("result")

    def close(self):
        super().close()
        self._fail("close")

    def _fail(self, what):
        if what == self.FAILING:
            raise OSError(f"no room to {what}\nand more")
