"""What tests need of the local platform: fixtures, clients and servers, for the lab's tests and the product's."""
