from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Version1(_message.Message):
    __slots__ = ("pids", "cpu", "memory")
    class Pids(_message.Message):
        __slots__ = ("current",)
        CURRENT_FIELD_NUMBER: _ClassVar[int]
        current: int
        def __init__(self, current: _Optional[int] = ...) -> None: ...
    class Usage(_message.Message):
        __slots__ = ("total",)
        TOTAL_FIELD_NUMBER: _ClassVar[int]
        total: int
        def __init__(self, total: _Optional[int] = ...) -> None: ...
    class Cpu(_message.Message):
        __slots__ = ("usage",)
        USAGE_FIELD_NUMBER: _ClassVar[int]
        usage: Version1.Usage
        def __init__(self, usage: _Optional[_Union[Version1.Usage, _Mapping]] = ...) -> None: ...
    class Entry(_message.Message):
        __slots__ = ("limit", "usage")
        LIMIT_FIELD_NUMBER: _ClassVar[int]
        USAGE_FIELD_NUMBER: _ClassVar[int]
        limit: int
        usage: int
        def __init__(self, limit: _Optional[int] = ..., usage: _Optional[int] = ...) -> None: ...
    class Memory(_message.Message):
        __slots__ = ("usage",)
        USAGE_FIELD_NUMBER: _ClassVar[int]
        usage: Version1.Entry
        def __init__(self, usage: _Optional[_Union[Version1.Entry, _Mapping]] = ...) -> None: ...
    PIDS_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    pids: Version1.Pids
    cpu: Version1.Cpu
    memory: Version1.Memory
    def __init__(self, pids: _Optional[_Union[Version1.Pids, _Mapping]] = ..., cpu: _Optional[_Union[Version1.Cpu, _Mapping]] = ..., memory: _Optional[_Union[Version1.Memory, _Mapping]] = ...) -> None: ...

class Version2(_message.Message):
    __slots__ = ("pids", "cpu", "memory")
    class Pids(_message.Message):
        __slots__ = ("current",)
        CURRENT_FIELD_NUMBER: _ClassVar[int]
        current: int
        def __init__(self, current: _Optional[int] = ...) -> None: ...
    class Cpu(_message.Message):
        __slots__ = ("usage_usec",)
        USAGE_USEC_FIELD_NUMBER: _ClassVar[int]
        usage_usec: int
        def __init__(self, usage_usec: _Optional[int] = ...) -> None: ...
    class Memory(_message.Message):
        __slots__ = ("usage",)
        USAGE_FIELD_NUMBER: _ClassVar[int]
        usage: int
        def __init__(self, usage: _Optional[int] = ...) -> None: ...
    PIDS_FIELD_NUMBER: _ClassVar[int]
    CPU_FIELD_NUMBER: _ClassVar[int]
    MEMORY_FIELD_NUMBER: _ClassVar[int]
    pids: Version2.Pids
    cpu: Version2.Cpu
    memory: Version2.Memory
    def __init__(self, pids: _Optional[_Union[Version2.Pids, _Mapping]] = ..., cpu: _Optional[_Union[Version2.Cpu, _Mapping]] = ..., memory: _Optional[_Union[Version2.Memory, _Mapping]] = ...) -> None: ...
