"""How many more samples a prompt wants."""


class Plan:
    def __init__(self, n: int, error_rate: float | None = None, settle: float = 0.1):
        self.n, self.error_rate, self.settle = n, error_rate, settle

    def wanted(self, n: int, positive: int) -> int:
        return max(0, self.n - n)
