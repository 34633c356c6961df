"""Q1Net and MSROI: how strongly was a picture JPEG-compressed, and where should its bytes go?

The links beside this file make one package of the repository's folders: code, tests and type checkers import
`q1net_msroi.classifier` here as in the wheel, into which the links' targets are copied. So one name is installed.
What `__all__` names is found in `api` when it is first asked for: importing the package alone loads nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from q1net_msroi.api import (
        Encoded,
        Estimate,
        MapResult,
        UserError,
        encode,
        estimate_quality,
        estimate_table,
        region_map,
    )

__all__ = [
    "Encoded",
    "Estimate",
    "MapResult",
    "UserError",
    "encode",
    "estimate_quality",
    "estimate_table",
    "region_map",
]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from q1net_msroi import api

    return getattr(api, name)


def __dir__() -> list[str]:
    return __all__
