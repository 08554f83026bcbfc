"""The names by which the run directory is known elsewhere; each stands in a module of its own beside this one."""

from openrlhf_unlearn.store.config import SCHEMA_VERSION as SCHEMA_VERSION
from openrlhf_unlearn.store.files import all_or_none as all_or_none
from openrlhf_unlearn.store.files import as_json as as_json
from openrlhf_unlearn.store.files import atomic_folder as atomic_folder
from openrlhf_unlearn.store.files import atomic_path as atomic_path
from openrlhf_unlearn.store.files import holds_files as holds_files
from openrlhf_unlearn.store.files import read_json as read_json
from openrlhf_unlearn.store.files import read_object as read_object
from openrlhf_unlearn.store.files import refuse_links as refuse_links
from openrlhf_unlearn.store.files import write_json as write_json
from openrlhf_unlearn.store.files import write_jsonl as write_jsonl
from openrlhf_unlearn.store.names import RunDir as RunDir
from openrlhf_unlearn.store.names import check_name as check_name
from openrlhf_unlearn.store.names import prompt_id as prompt_id
from openrlhf_unlearn.store.parquet import read_table as read_table
from openrlhf_unlearn.store.parquet import write_table as write_table
from openrlhf_unlearn.store.prompts import CAUSES as CAUSES
from openrlhf_unlearn.store.prompts import GROUPS as GROUPS
from openrlhf_unlearn.store.summary import update_summary as update_summary
from openrlhf_unlearn.store.verdicts import POSITIVE_THRESHOLD as POSITIVE_THRESHOLD
from openrlhf_unlearn.store.verdicts import VERDICTS as VERDICTS
