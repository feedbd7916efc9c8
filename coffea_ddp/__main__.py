"""``python -m coffea_ddp`` is ``coffea-ddp``."""

from coffea_ddp.cli import main

if __name__ == "__main__":
    main()
