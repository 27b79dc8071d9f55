"""The keys of a contract and the kinds of their values, as pydantic models. A door to pydantic, like `pipeline.schema`.

They are those of the Open Data Contract Standard, versions 3.0 to 3.2
(https://bitol-io.github.io/open-data-contract-standard/v3.2.0/), for one table; `loader` makes rules of them. A key of the
standard that nothing is checked by is taken as it is.
"""

# ruff: noqa: N815 - the names of the standard

from __future__ import annotations

from typing import Annotated, Any, Literal

import pydantic

LogicalType = Literal[
    "string", "date", "timestamp", "time", "number", "integer", "object", "array", "boolean", "map", "vector"
]
Number = Annotated[int | float, pydantic.Field(union_mode="left_to_right")]
Pair = Annotated[list[Number], pydantic.Field(min_length=2, max_length=2)]


class _Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(extra="forbid", strict=True, frozen=True, defer_build=True)


class CustomProperty(_Model):
    """A key of ours, or of another tool."""

    property: str
    value: Any = None
    id: str | None = None
    description: str | None = None
    vendor: str | None = None


class _Element(_Model):
    id: str | None = None
    description: str | None = None
    tags: list[str] = pydantic.Field(default_factory=list)
    customProperties: list[CustomProperty] = pydantic.Field(default_factory=list)
    authoritativeDefinitions: list[Any] = pydantic.Field(default_factory=list)


class Quality(_Element):
    """One check of a column or of the table."""

    type: Literal["text", "library", "sql", "custom"] = "library"
    name: str | None = None
    metric: Literal["nullValues", "missingValues", "invalidValues", "duplicateValues", "rowCount"] | None = (
        None
    )
    rule: str | None = None
    arguments: dict[str, Any] = pydantic.Field(default_factory=dict)
    unit: Literal["rows", "percent"] = "rows"
    severity: str | None = None
    mustBe: Any = None
    mustNotBe: Any = None
    mustBeGreaterThan: Number | None = None
    mustBeGreaterOrEqualTo: Number | None = None
    mustBeLessThan: Number | None = None
    mustBeLessOrEqualTo: Number | None = None
    mustBeBetween: Pair | None = None
    mustNotBeBetween: Pair | None = None
    query: str | None = None
    engine: str | None = None
    implementation: str | dict[str, Any] | None = None
    dimension: (
        Literal[
            "accuracy", "completeness", "conformity", "consistency", "coverage", "timeliness", "uniqueness"
        ]
        | None
    ) = None
    businessImpact: str | None = None
    method: str | None = None
    schedule: str | None = None
    scheduler: str | None = None


class EnumValue(_Element):
    """An allowed value."""

    value: Any
    label: str | None = None


class Relationship(_Model):
    """A key into another dataset; `to` is `pipeline.stage.output.column`."""

    to: str | list[str]
    from_: Annotated[str | list[str] | None, pydantic.Field(alias="from")] = None
    type: Literal["foreignKey"] = "foreignKey"
    id: str | None = None
    customProperties: list[CustomProperty] = pydantic.Field(default_factory=list)


class _Named(_Element):
    name: str
    physicalType: str | None = None
    physicalName: str | None = None
    businessName: str | None = None
    deprecated: bool = False
    synonyms: list[Any] = pydantic.Field(default_factory=list)
    quality: list[Any] = pydantic.Field(default_factory=list)
    relationships: list[Any] = pydantic.Field(default_factory=list)


class PropertyFile(_Named):
    """One column."""

    logicalType: LogicalType | None = None
    logicalTypeOptions: dict[str, Any] = pydantic.Field(default_factory=dict)
    required: bool = False
    unique: bool = False
    primaryKey: bool = False
    primaryKeyPosition: int = -1
    enum: list[Any] = pydantic.Field(default_factory=list)
    classification: str | None = None
    criticalDataElement: bool = False
    partitioned: bool = False
    partitionKeyPosition: int = -1
    semanticType: str | None = None
    encryptedName: str | None = None
    transformSourceObjects: list[str] = pydantic.Field(default_factory=list)
    transformLogic: str | None = None
    transformDescription: str | None = None
    examples: list[Any] = pydantic.Field(default_factory=list)
    properties: list[Any] = pydantic.Field(default_factory=list)
    items: Any = None
    map: Any = None


class TableFile(_Named):
    """The table."""

    logicalType: Literal["object"] = "object"
    properties: list[Any] = pydantic.Field(default_factory=list)
    dataGranularityDescription: str | None = None
    context: Any = None


class Sla(_Model):
    """An agreement on service; `freshness` is checked."""

    property: str
    value: str | int | float | bool | None
    unit: str | None = None
    element: str | None = None
    valueExt: Any = None
    id: str | None = None
    driver: str | None = None
    description: str | None = None
    scheduler: str | None = None
    schedule: str | None = None
    customProperties: list[CustomProperty] = pydantic.Field(default_factory=list)
    authoritativeDefinitions: list[Any] = pydantic.Field(default_factory=list)


class DescriptionFile(_Model):
    """What the dataset is for."""

    purpose: str | None = None
    usage: str | None = None
    limitations: str | None = None
    authoritativeDefinitions: list[Any] = pydantic.Field(default_factory=list)
    customProperties: list[CustomProperty] = pydantic.Field(default_factory=list)


class ContractFile(_Model):
    """A contract. Its tables, columns and checks are read one by one, so that one mistake hides no other."""

    apiVersion: Literal["v3.2.0", "v3.1.0", "v3.0.2", "v3.0.1", "v3.0.0"]
    kind: Literal["DataContract"]
    id: str
    version: str
    status: str | None = None
    name: str | None = None
    tenant: str | None = None
    domain: str | None = None
    dataProduct: str | None = None
    description: DescriptionFile | None = None
    tags: list[str] = pydantic.Field(default_factory=list)
    schema_: Annotated[list[Any], pydantic.Field(alias="schema")] = pydantic.Field(default_factory=list)
    slaDefaultElement: str | None = None
    slaProperties: list[Any] = pydantic.Field(default_factory=list)
    team: Any = None
    servers: list[Any] = pydantic.Field(default_factory=list)
    support: list[Any] = pydantic.Field(default_factory=list)
    roles: list[Any] = pydantic.Field(default_factory=list)
    price: Any = None
    context: Any = None
    authoritativeDefinitions: list[Any] = pydantic.Field(default_factory=list)
    customProperties: list[CustomProperty] = pydantic.Field(default_factory=list)
    contractCreatedTs: str | None = None
