"""AWS Encryption, Hands-on."""
