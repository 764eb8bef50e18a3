"""`python -m denoisebench`."""

from denoisebench.cli.main import main

if __name__ == "__main__":
    main()
