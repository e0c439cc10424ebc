"""Requests with content, byte by byte."""

HOST = b"Host: site.example\r\n"
FORM = b"application/x-www-form-urlencoded"
MULTI = b"multipart/form-data; boundary=B"
JSON = b"application/json"
XML = b"application/xml"


def post(kind, body, *fields, target=b"/"):
    head = [b"POST " + target + b" HTTP/1.1", b"Host: site.example", b"Content-Length: %d" % len(body)]
    if kind is not None:
        head.append(b"Content-Type: " + kind)
    return b"\r\n".join([*head, *fields]) + b"\r\n\r\n" + body


def chunked(kind, *pieces):
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Content-Type: " + kind + b"\r\nTransfer-Encoding: chunked\r\n\r\n"
    return head + b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def part(disposition, content, *fields):
    return b"\r\n".join([b"--B", b"Content-Disposition: " + disposition, *fields]) + b"\r\n\r\n" + content + b"\r\n"


def parts(*all_parts):
    return b"".join(all_parts) + b"--B--\r\n"


def files(*rows):
    """A form of files: name, type, content."""
    return parts(*[file_part(*row) for row in rows])


def file_part(name, kind, content):
    return part(b'form-data; name="f"; filename="%s"' % name, content, b"Content-Type: " + kind)
