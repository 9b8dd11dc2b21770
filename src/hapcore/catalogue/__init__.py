"""What is defined: services, characteristics, their named values, categories.

`hapcore.catalogue.services` has a typed class for each service, `hapcore.catalogue.characteristics` a constant for each
characteristic, `hapcore.catalogue.values` an enumeration for each characteristic with named values.
"""

from __future__ import annotations

from hapcore.catalogue.categories import Category
from hapcore.catalogue.lookup import characteristic_name, characteristic_type, service_name, service_type
from hapcore.model.uuid import normalise_uuid, short_uuid

__all__ = [
    "Category",
    "characteristic_name",
    "characteristic_type",
    "normalise_uuid",
    "service_name",
    "service_type",
    "short_uuid",
]
