"""Policies as Python dictionaries, written as libconfig text."""


def merge(base, changes):
    """base with changes laid over it, groups within groups; None removes a setting."""
    merged = dict(base)
    for name, value in changes.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict) and isinstance(merged.get(name), dict):
            merged[name] = merge(merged[name], value)
        else:
            merged[name] = value
    return merged


def _value(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value}L" if value > 0x7fffffff else str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, dict):
        return "{ " + " ".join(f"{name} = {_value(item)};" for name, item in value.items()) + " }"
    return "( " + ", ".join(_value(item) for item in value) + " )"


def write(settings):
    """Each setting on its own line. The key "@include" names files to include."""
    lines = [f'@include "{path}"' for path in settings.get("@include", ())]
    lines += [f"{name} = {_value(value)};" for name, value in settings.items()
              if name != "@include"]
    return "\n".join(lines) + "\n"
