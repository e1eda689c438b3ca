"""What a model's layers answered to a sample of instances, streamed to disk in shards.

``sample`` and ``choice`` say of which instances and layers; ``extract`` runs the model, with ``passes`` and ``pooling``
(these three need torch); ``shards`` owns the files; ``reader`` reads them, also while they are being written.
"""
