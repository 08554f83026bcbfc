import sys

from openrlhf_unlearn.cli import main

sys.exit(main())
