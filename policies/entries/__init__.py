"""The policies that can be built by id, a file a family; :mod:`policies.registry` joins them."""
