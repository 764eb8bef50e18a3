"""Several processes train one recipe: torchrun starts them, as users would."""
