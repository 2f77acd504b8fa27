"""URLs of subscriptions, and the bytes that are sent for them."""

SIGNED = "/u/%7Euser?sig=a%2Fb%3D%3D&x=%20y&z=a+b&m=user%40x.cl&p=%28a%29&q=it%27s&c=%3A&t=%2Ftriggers%2Fmanual"
# Configured behind the port, and sent.
TARGETS = [
    (SIGNED, SIGNED),
    ("", "/"),
    ("/hook?", "/hook?"),
    ("?a=b", "/?a=b"),
    ("/hook#fragment", "/hook"),
    ("/a/../b/./c//d/", "/a/../b/./c//d/"),
    ("/%2e%2E/%41%7e?%5B%5d=%e9", "/%2e%2E/%41%7e?%5B%5d=%e9"),
    ("/u/br[1-3]?ids[]=1&set={a,b}", "/u/br[1-3]?ids[]=1&set={a,b}"),
    ("/100%?50%zz", "/100%?50%zz"),
    ('/"<>^`|\\\'()*!$&+,;=:@~?"<>^`|\\', '/"<>^`|\\\'()*!$&+,;=:@~?"<>^`|\\'),
    ("/ñandú/%C3%B1?q=año&€=%E2%82%AC", "/%C3%B1and%C3%BA/%C3%B1?q=a%C3%B1o&%E2%82%AC=%E2%82%AC"),
    ("/😀", "/%F0%9F%98%80"),
]
CREDENTIALS = [
    ("user:p%E2%82%ACss@", "user:p€ss".encode()),
    ("user:p€ss@", "user:p€ss".encode()),
    ("us%C3%A9r:p%40s%3As@", "usér:p@s:s".encode()),
    ("user:a:b@", b"user:a:b"),
    ("us%3Aer:%FF%0D%0A@", b"us:er:\xff\r\n"),
    ("user@", b"user:"),
    (":pass@", b":pass"),
    ("@", None),
    ("", None),
]
