"""Start the service on port 8080."""

import socket

from parcel.service import serve

if __name__ == "__main__":
    with socket.create_server(("", 8080)) as listening:
        serve(listening)
