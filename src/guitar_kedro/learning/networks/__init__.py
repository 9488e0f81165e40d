"""Networks, the weights that belong to them, and the devices that they compute on."""
