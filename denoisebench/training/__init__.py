"""From a recipe to a trained generator."""
