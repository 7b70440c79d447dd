"""Amazon DynamoDB: items that are ciphertext at rest, in every Region of a global table.

shelf.py          moto's tables with sealed items in them; what a thief would find
table_keys.py     the table key from KMS, the key under it, and for how long they are remembered
global_tables.py  replicas that receive every write, each under a key of its own
service.py        the sequence
"""

from kmscourse.cloud.at_rest.dynamodb.service import DynamoDB
from kmscourse.cloud.at_rest.dynamodb.shelf import StoredItem, StoredTable

__all__ = ["DynamoDB", "StoredItem", "StoredTable"]
